{% macro quintile_score(share_beaten) -%}
    case
        when {{ share_beaten }} >= 0.8 then 5
        when {{ share_beaten }} >= 0.6 then 4
        when {{ share_beaten }} >= 0.4 then 3
        when {{ share_beaten }} >= 0.2 then 2
        else 1
    end
{%- endmacro %}
