-- kafka.describe_cluster, on a cluster of one broker.
SELECT broker_id, host IS NOT NULL AS host, port > 0 AS port, rack, is_controller, length(cluster_id) > 10 AS cluster_id FROM kafka.describe_cluster();
SELECT count(DISTINCT cluster_id) FROM (SELECT cluster_id FROM kafka.describe_cluster() UNION ALL SELECT cluster_id FROM kafka.describe_cluster(server => 'kafka')) AS c;
-- host and port are those that the broker tells, where a server reaches it
SELECT o = 'bootstrap_servers=' || c.host || ':' || c.port AS same
  FROM kafka.describe_cluster() c, pg_foreign_server, unnest(srvoptions) o WHERE srvname = 'kafka' AND o LIKE 'bootstrap%';
\set VERBOSITY terse
SELECT * FROM kafka.describe_cluster('nowhere');
\echo :LAST_ERROR_SQLSTATE
CREATE ROLE admin_cluster_user;
SET ROLE admin_cluster_user;
SELECT * FROM kafka.describe_cluster();
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
DROP ROLE admin_cluster_user;
