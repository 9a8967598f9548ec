"""What a user would pick instead: dlt loads a DuckDB file, dbt makes the marts. In an environment of its own."""
