{% macro money(expression) -%}
    {{ adapter.dispatch('money')(expression) }}
{%- endmacro %}

{% macro default__money(expression) -%}
    cast({{ expression }} as numeric(12, 2))
{%- endmacro %}

{% macro bigquery__money(expression) -%}
    round(cast({{ expression }} as numeric), 2)
{%- endmacro %}
