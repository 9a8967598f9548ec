{#
    Fails when the newest value of `field` is more than `interval` `datepart`s older than the run's
    business date, in the environment variable DBT_AS_OF, or than the current date when that is not set.
    An empty table fails too. Only warns by default: late data is told, and what did arrive is still
    published.

    Neither a variable of dbt's nor read while parsing: another value would have dbt parse anew.
#}
{% test recency(model, field, datepart, interval) %}

{{ config(severity='warn') }}

{%- set as_of -%}
    {%- if execute and env_var('DBT_AS_OF', '') -%} cast('{{ env_var("DBT_AS_OF") }}' as date)
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
