{#
    Fails for each row on which `expression` is false. On a column the expression is the right-hand
    side ("<= order_amount"). A null result passes: absence is the business of `not_null`.
#}
{% test expression_is_true(model, expression, column_name=none) %}

select * from {{ model }}

where not ({{ column_name or '' }} {{ expression }})

{% endtest %}
