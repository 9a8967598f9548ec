{% macro unless_blank(expression) -%}
    case when trim({{ expression }}, ' ') <> '' then {{ expression }} end
{%- endmacro %}
