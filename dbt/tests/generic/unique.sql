{#
    Fails for each value of the column that more than one row has. Nulls do not count.

    In place of dbt's own test, which groups all rows of all days by a column that is different in each. Here,
    if `meta` names the column that holds a row's load, and the environment variable DBT_TESTED_LOAD the load
    up to which everything has passed, only values that a later load has brought are counted, among all rows.
#}
{% test unique(model, column_name) %}

{%- set load_column = (config.get('meta') or {}).get('load_column') if execute -%}
{%- set tested_load = env_var('DBT_TESTED_LOAD', '') if execute and load_column -%}

select
    {{ column_name }} as value,
    count(*) as total_rows

from {{ model }}

where
    {{ column_name }} is not null
    {% if tested_load %}
        and {{ column_name }} in (
            select changed.{{ column_name }} from {{ model }} as changed
            where changed.{{ load_column }} > {{ tested_load }}
        )
    {% endif %}

group by {{ column_name }}

having count(*) > 1

{% endtest %}
