{% macro ratio(numerator, denominator) -%}
    cast(
        round(
            cast({{ numerator }} / nullif({{ denominator }}, 0) as numeric(28, 8)), 2
        ) as numeric(18, 2)
    )
{%- endmacro %}
