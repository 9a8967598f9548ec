{% macro changed_groups(rows, key, counted, built_key=none) %}
    {%- set built_key = built_key or key %}
    {# A table that lacks the column gets it, and all its groups are built anew. #}
    {%- set is_compared = is_incremental() and has_column(this, counted) %}
    select
        {{ 'coalesce(present.' ~ key ~ ', built.' ~ built_key ~ ')' if is_compared else 'present.' ~ key }} as {{ key }},
        coalesce(present.{{ counted }}, 0) as {{ counted }},
        coalesce(present.load_id, 0) as load_id

    from (
        select
            {{ key }},
            count(*) as {{ counted }},
            max(load_id) as load_id

        from {{ rows }}

        group by {{ key }}
    ) as present

    {% if is_compared %}

        full outer join (
            select
                {{ built_key }},
                sum({{ counted }}) as {{ counted }},
                max(load_id) as load_id

            from {{ this }}

            group by {{ built_key }}
        ) as built on present.{{ key }} = built.{{ built_key }}

        where
            coalesce(present.load_id, 0) <> coalesce(built.load_id, 0)
            or coalesce(present.{{ counted }}, 0) <> coalesce(built.{{ counted }}, 0)

    {% endif %}
{% endmacro %}
