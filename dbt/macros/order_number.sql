{% macro order_number(shops_own, order_id) -%}
    case
        when trim({{ shops_own }}) <> '' then {{ shops_own }}
        else cast({{ order_id }} as {{ dbt.type_string() }})
    end
{%- endmacro %}
