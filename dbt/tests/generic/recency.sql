{#
    Fails when the newest value of `field` is more than `interval` `datepart`s older than the variable
    `as_of` (the run's business date), or than the current date when none is given. An empty table
    fails too. Only warns by default: late data is told, and what did arrive is still published.
#}
{% test recency(model, field, datepart, interval) %}

{{ config(severity='warn') }}

{%- set as_of -%}
    {%- if var('as_of', none) -%} cast('{{ var("as_of") }}' as date)
    {%- else -%} cast({{ dbt.current_timestamp() }} as date)
    {%- endif -%}
{%- endset %}

with

newest as (

    select max(cast({{ field }} as date)) as newest_date from {{ model }}

)

select * from newest

where
    newest_date is null
    or newest_date < cast({{ dbt.dateadd(datepart, -interval, as_of) }} as date)

{% endtest %}
