{% macro is_gone(table, key) %}
    cast({{ key }} as {{ dbt.type_string() }}) in (
        select deleted.key from {{ source('ops', 'deleted_rows') }} as deleted
        where deleted.table_name = '{{ table }}' and deleted.deletes = 'follow'
    )
{% endmacro %}
