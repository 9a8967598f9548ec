{#
    Fails for each combination of `columns` that more than one row has. Nulls count as equal.
#}
{% test unique_combination_of_columns(model, columns) %}

select
    {{ columns | join(', ') }},
    count(*) as total_rows

from {{ model }}

group by {{ columns | join(', ') }}

having count(*) > 1

{% endtest %}
