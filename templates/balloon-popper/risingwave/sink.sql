-- Balloon Popper on RisingWave: five sinks into the Iceberg tables.
-- Written by forge; it holds secrets, keep it private. By hand: psql -f source.sql, then psql -f sink.sql

-- Running totals: a row for every change of the view, at most one each second and key.
CREATE SINK IF NOT EXISTS leaderboard FROM mv_leaderboard WITH (
  connector = 'iceberg',
  type = 'append-only',
  force_append_only = 'true',
  database.name = {{sql config.lake.namespace}},
  table.name = 'leaderboard',
  warehouse.path = {{sql warehouse}},
  catalog.name = {{sql config.lake.catalog}},
  catalog.type = 'rest',
  catalog.uri = {{sql endpoints.catalog.inside.url}},
{{#if polaris}}
  catalog.credential = {{sql secrets.polaris-principal.clientId ':' secrets.polaris-principal.clientSecret}},
  catalog.oauth2_server_uri = '{{ endpoints.catalog.inside.url }}/v1/oauth/tokens',
  catalog.scope = 'PRINCIPAL_ROLE:ALL',
  catalog.header = 'Polaris-Realm=POLARIS',
{{/if}}
  s3.endpoint = {{sql endpoints.localstack.inside.url}},
  s3.region = {{sql config.lake.region}},
  s3.path.style.access = 'true',
  s3.access.key = {{sql secrets.aws.accessKeyId}},
  s3.secret.key = {{sql secrets.aws.secretAccessKey}},
  commit_checkpoint_interval = {{sql config.components.risingwave.commitInterval}}
);

CREATE SINK IF NOT EXISTS balloon_color_stats FROM mv_balloon_color_stats WITH (
  connector = 'iceberg',
  type = 'append-only',
  force_append_only = 'true',
  database.name = {{sql config.lake.namespace}},
  table.name = 'balloon_color_stats',
  warehouse.path = {{sql warehouse}},
  catalog.name = {{sql config.lake.catalog}},
  catalog.type = 'rest',
  catalog.uri = {{sql endpoints.catalog.inside.url}},
{{#if polaris}}
  catalog.credential = {{sql secrets.polaris-principal.clientId ':' secrets.polaris-principal.clientSecret}},
  catalog.oauth2_server_uri = '{{ endpoints.catalog.inside.url }}/v1/oauth/tokens',
  catalog.scope = 'PRINCIPAL_ROLE:ALL',
  catalog.header = 'Polaris-Realm=POLARIS',
{{/if}}
  s3.endpoint = {{sql endpoints.localstack.inside.url}},
  s3.region = {{sql config.lake.region}},
  s3.path.style.access = 'true',
  s3.access.key = {{sql secrets.aws.accessKeyId}},
  s3.secret.key = {{sql secrets.aws.secretAccessKey}},
  commit_checkpoint_interval = {{sql config.components.risingwave.commitInterval}}
);

-- Windows, appended once when they close. Where a table holds windows already, forge puts the end of the last one in the place
-- of 1970, so that a sink that is made again writes none of them a second time.
CREATE SINK IF NOT EXISTS realtime_scores AS
SELECT
  player,
  sum(score) AS total_score,
  window_start,
  window_end
FROM TUMBLE(balloon_game_events_in_time, event_ts, INTERVAL '15 SECONDS')
WHERE player IS NOT NULL AND score IS NOT NULL AND event_ts IS NOT NULL
  AND window_start >= '1970-01-01 00:00:00+00:00'::timestamptz
GROUP BY player, window_start, window_end
EMIT ON WINDOW CLOSE
WITH (
  connector = 'iceberg',
  type = 'append-only',
  force_append_only = 'true',
  database.name = {{sql config.lake.namespace}},
  table.name = 'realtime_scores',
  warehouse.path = {{sql warehouse}},
  catalog.name = {{sql config.lake.catalog}},
  catalog.type = 'rest',
  catalog.uri = {{sql endpoints.catalog.inside.url}},
{{#if polaris}}
  catalog.credential = {{sql secrets.polaris-principal.clientId ':' secrets.polaris-principal.clientSecret}},
  catalog.oauth2_server_uri = '{{ endpoints.catalog.inside.url }}/v1/oauth/tokens',
  catalog.scope = 'PRINCIPAL_ROLE:ALL',
  catalog.header = 'Polaris-Realm=POLARIS',
{{/if}}
  s3.endpoint = {{sql endpoints.localstack.inside.url}},
  s3.region = {{sql config.lake.region}},
  s3.path.style.access = 'true',
  s3.access.key = {{sql secrets.aws.accessKeyId}},
  s3.secret.key = {{sql secrets.aws.secretAccessKey}},
  commit_checkpoint_interval = {{sql config.components.risingwave.commitInterval}}
);

CREATE SINK IF NOT EXISTS balloon_colored_pops AS
SELECT
  player,
  balloon_color,
  count(*) AS balloon_pops,
  sum(score) AS points_by_color,
  count(CASE WHEN favorite_color_bonus THEN 1 END) AS bonus_hits,
  window_start,
  window_end
FROM TUMBLE(balloon_game_events_in_time, event_ts, INTERVAL '15 SECONDS')
WHERE player IS NOT NULL AND balloon_color IS NOT NULL AND score IS NOT NULL AND event_ts IS NOT NULL
  AND window_start >= '1970-01-01 00:00:00+00:00'::timestamptz
GROUP BY player, balloon_color, window_start, window_end
EMIT ON WINDOW CLOSE
WITH (
  connector = 'iceberg',
  type = 'append-only',
  force_append_only = 'true',
  database.name = {{sql config.lake.namespace}},
  table.name = 'balloon_colored_pops',
  warehouse.path = {{sql warehouse}},
  catalog.name = {{sql config.lake.catalog}},
  catalog.type = 'rest',
  catalog.uri = {{sql endpoints.catalog.inside.url}},
{{#if polaris}}
  catalog.credential = {{sql secrets.polaris-principal.clientId ':' secrets.polaris-principal.clientSecret}},
  catalog.oauth2_server_uri = '{{ endpoints.catalog.inside.url }}/v1/oauth/tokens',
  catalog.scope = 'PRINCIPAL_ROLE:ALL',
  catalog.header = 'Polaris-Realm=POLARIS',
{{/if}}
  s3.endpoint = {{sql endpoints.localstack.inside.url}},
  s3.region = {{sql config.lake.region}},
  s3.path.style.access = 'true',
  s3.access.key = {{sql secrets.aws.accessKeyId}},
  s3.secret.key = {{sql secrets.aws.secretAccessKey}},
  commit_checkpoint_interval = {{sql config.components.risingwave.commitInterval}}
);

CREATE SINK IF NOT EXISTS color_performance_trends AS
SELECT
  balloon_color,
  round(avg(score), 10) AS avg_score_per_pop,
  count(*) AS total_pops,
  window_start,
  window_end
FROM TUMBLE(balloon_game_events_in_time, event_ts, INTERVAL '15 SECONDS')
WHERE balloon_color IS NOT NULL AND score IS NOT NULL AND event_ts IS NOT NULL
  AND window_start >= '1970-01-01 00:00:00+00:00'::timestamptz
GROUP BY balloon_color, window_start, window_end
EMIT ON WINDOW CLOSE
WITH (
  connector = 'iceberg',
  type = 'append-only',
  force_append_only = 'true',
  database.name = {{sql config.lake.namespace}},
  table.name = 'color_performance_trends',
  warehouse.path = {{sql warehouse}},
  catalog.name = {{sql config.lake.catalog}},
  catalog.type = 'rest',
  catalog.uri = {{sql endpoints.catalog.inside.url}},
{{#if polaris}}
  catalog.credential = {{sql secrets.polaris-principal.clientId ':' secrets.polaris-principal.clientSecret}},
  catalog.oauth2_server_uri = '{{ endpoints.catalog.inside.url }}/v1/oauth/tokens',
  catalog.scope = 'PRINCIPAL_ROLE:ALL',
  catalog.header = 'Polaris-Realm=POLARIS',
{{/if}}
  s3.endpoint = {{sql endpoints.localstack.inside.url}},
  s3.region = {{sql config.lake.region}},
  s3.path.style.access = 'true',
  s3.access.key = {{sql secrets.aws.accessKeyId}},
  s3.secret.key = {{sql secrets.aws.secretAccessKey}},
  commit_checkpoint_interval = {{sql config.components.risingwave.commitInterval}}
);
