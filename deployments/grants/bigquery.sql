-- BigQuery: what readers may see, dataset by dataset. As an administrator, after the first run.
-- What the pipeline's own service account needs is granted on its project, by IAM (docs/warehouses.md):
-- roles/bigquery.jobUser, roles/bigquery.user and roles/bigquery.dataEditor on a project for the pipeline alone.

-- Readers get the marts and the run ledger: not silver, not quarantine, which holds raw rows of people.
grant `roles/bigquery.dataViewer` on schema `my-shop-warehouse`.gold to "group:analysts@example.com";
grant `roles/bigquery.dataViewer` on schema `my-shop-warehouse`.ops to "group:analysts@example.com";

-- Whoever repairs rows also reads what was rejected.
grant `roles/bigquery.dataViewer` on schema `my-shop-warehouse`.quarantine to "group:data-engineers@example.com";
