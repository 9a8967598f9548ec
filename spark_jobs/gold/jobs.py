"""The jobs of the lake's gold tables, by table."""

from spark_jobs.gold import daily_sales, daily_segment_sales

GOLD_JOBS = {job.table: job for job in (daily_sales.JOB, daily_segment_sales.JOB)}
