{% macro ratio(numerator, denominator, places=2) -%}
    {{ adapter.dispatch('ratio')(numerator, denominator, places) }}
{%- endmacro %}

{% macro default__ratio(numerator, denominator, places) -%}
    cast(
        round(
            cast({{ numerator }} / nullif({{ denominator }}, 0) as numeric(28, 8)), {{ places }}
        ) as numeric(18, {{ places }})
    )
{%- endmacro %}

{% macro snowflake__ratio(numerator, denominator, places) -%}
    {{ default__ratio('cast(' ~ numerator ~ ' as numeric(28, 8))', denominator, places) }}
{%- endmacro %}

{% macro bigquery__ratio(numerator, denominator, places) -%}
    round(cast({{ numerator }} as numeric) / nullif({{ denominator }}, 0), {{ places }})
{%- endmacro %}
