{% macro ratio(numerator, denominator, places=2) -%}
    cast(
        round(
            cast({{ numerator }} / nullif({{ denominator }}, 0) as numeric(28, 8)), {{ places }}
        ) as numeric(18, {{ places }})
    )
{%- endmacro %}
