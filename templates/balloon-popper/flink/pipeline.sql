{{#if refill}}
-- Fills views that were lost: the topic is read once, to where it ends now.
{{else}}
-- Balloon Popper on Flink: Kafka -> five views in PostgreSQL and five Iceberg tables, as one job.
-- Written by forge; it holds secrets, keep it private. By hand: sql-client.sh gateway --endpoint HOST:PORT -f pipeline.sql
{{/if}}

SET 'pipeline.name' = {{sql job}};
SET 'parallelism.default' = '1';
SET 'table.local-time-zone' = 'UTC';
-- An event without a player or a colour is dropped, so that it cannot stop the job.
SET 'table.exec.sink.not-null-enforcer' = 'DROP';
-- A quiet partition does not hold the windows back for longer than this.
SET 'table.exec.source.idle-timeout' = '5s';

{{#unless refill}}
CREATE CATALOG lake WITH (
  'type' = 'iceberg',
  'catalog-type' = 'rest',
  'uri' = {{sql endpoints.catalog.inside.url}},
  'warehouse' = {{sql warehouse}},
{{#if polaris}}
  'credential' = {{sql secrets.polaris-principal.clientId ':' secrets.polaris-principal.clientSecret}},
  'oauth2-server-uri' = '{{ endpoints.catalog.inside.url }}/v1/oauth/tokens',
  'scope' = 'PRINCIPAL_ROLE:ALL',
  'header.Polaris-Realm' = 'POLARIS',
{{/if}}
  'io-impl' = 'org.apache.iceberg.aws.s3.S3FileIO',
  's3.endpoint' = {{sql endpoints.localstack.inside.url}},
  's3.path-style-access' = 'true',
  's3.access-key-id' = {{sql secrets.aws.accessKeyId}},
  's3.secret-access-key' = {{sql secrets.aws.secretAccessKey}},
  'client.region' = {{sql config.lake.region}}
);
{{/unless}}

-- What the players do. A record that is no JSON is left out, as the demo does. An event that is dated more than a minute
-- ahead has no `in_time`: it is in no windowed table, where it would close the windows of all the others.
CREATE TEMPORARY TABLE balloon_game_events (
  player STRING,
  balloon_color STRING,
  score INT,
  favorite_color_bonus BOOLEAN,
  event_ts TIMESTAMP_LTZ(3),
  processed_at AS PROCTIME(),
  in_time AS CASE WHEN event_ts <= CURRENT_TIMESTAMP + INTERVAL '1' MINUTE THEN event_ts END,
  WATERMARK FOR in_time AS in_time - INTERVAL '2' SECOND
) WITH (
  'connector' = 'kafka',
  'topic' = {{sql config.topic.name}},
  'properties.bootstrap.servers' = {{sql endpoints.kafka.inside.url}},
  'properties.group.id' = 'forge-{{ job }}',
  'scan.startup.mode' = 'earliest-offset',
{{#if refill}}
  'scan.bounded.mode' = 'latest-offset',
{{else}}
  'scan.topic-partition-discovery.interval' = '10s',
{{/if}}
  'format' = 'json',
  'json.timestamp-format.standard' = 'ISO-8601',
  'json.ignore-parse-errors' = 'true'
);

-- The 15-second window of each event, for the views: they show a window while it is still open.
CREATE TEMPORARY VIEW balloon_game_windows AS
SELECT player, balloon_color, score, favorite_color_bonus, window_start, window_start + INTERVAL '15' SECOND AS window_end
FROM (
  SELECT *, CAST(TO_TIMESTAMP(FROM_UNIXTIME(UNIX_TIMESTAMP(CAST(CAST(event_ts AS TIMESTAMP(0)) AS STRING)) / 15 * 15)) AS TIMESTAMP(3)) AS window_start
  FROM balloon_game_events
);

-- The views, kept by key in PostgreSQL.
CREATE TEMPORARY TABLE mv_leaderboard (
  player STRING,
  total_score BIGINT,
  bonus_hits BIGINT,
  event_ts TIMESTAMP(3),
  PRIMARY KEY (player) NOT ENFORCED
) WITH (
  'connector' = 'jdbc',
  'url' = 'jdbc:postgresql://{{ endpoints.postgresql.inside.host }}:{{ endpoints.postgresql.inside.port }}/{{ config.views.database }}',
  'table-name' = 'mv_leaderboard',
  'username' = {{sql secrets.views.username}},
  'password' = {{sql secrets.views.password}},
  'sink.buffer-flush.interval' = '200ms',
  'sink.max-retries' = '5'
);

CREATE TEMPORARY TABLE mv_balloon_color_stats (
  player STRING,
  balloon_color STRING,
  balloon_pops BIGINT,
  points_by_color BIGINT,
  bonus_hits BIGINT,
  event_ts TIMESTAMP(3),
  PRIMARY KEY (player, balloon_color) NOT ENFORCED
) WITH (
  'connector' = 'jdbc',
  'url' = 'jdbc:postgresql://{{ endpoints.postgresql.inside.host }}:{{ endpoints.postgresql.inside.port }}/{{ config.views.database }}',
  'table-name' = 'mv_balloon_color_stats',
  'username' = {{sql secrets.views.username}},
  'password' = {{sql secrets.views.password}},
  'sink.buffer-flush.interval' = '200ms',
  'sink.max-retries' = '5'
);

CREATE TEMPORARY TABLE mv_realtime_scores (
  player STRING,
  total_score BIGINT,
  window_start TIMESTAMP(3),
  window_end TIMESTAMP(3),
  PRIMARY KEY (player, window_start) NOT ENFORCED
) WITH (
  'connector' = 'jdbc',
  'url' = 'jdbc:postgresql://{{ endpoints.postgresql.inside.host }}:{{ endpoints.postgresql.inside.port }}/{{ config.views.database }}',
  'table-name' = 'mv_realtime_scores',
  'username' = {{sql secrets.views.username}},
  'password' = {{sql secrets.views.password}},
  'sink.buffer-flush.interval' = '200ms',
  'sink.max-retries' = '5'
);

CREATE TEMPORARY TABLE mv_balloon_colored_pops (
  player STRING,
  balloon_color STRING,
  balloon_pops BIGINT,
  points_by_color BIGINT,
  bonus_hits BIGINT,
  window_start TIMESTAMP(3),
  window_end TIMESTAMP(3),
  PRIMARY KEY (player, balloon_color, window_start) NOT ENFORCED
) WITH (
  'connector' = 'jdbc',
  'url' = 'jdbc:postgresql://{{ endpoints.postgresql.inside.host }}:{{ endpoints.postgresql.inside.port }}/{{ config.views.database }}',
  'table-name' = 'mv_balloon_colored_pops',
  'username' = {{sql secrets.views.username}},
  'password' = {{sql secrets.views.password}},
  'sink.buffer-flush.interval' = '200ms',
  'sink.max-retries' = '5'
);

CREATE TEMPORARY TABLE mv_color_performance_trends (
  balloon_color STRING,
  avg_score_per_pop DECIMAL(28, 10),
  total_pops BIGINT,
  window_start TIMESTAMP(3),
  window_end TIMESTAMP(3),
  PRIMARY KEY (balloon_color, window_start) NOT ENFORCED
) WITH (
  'connector' = 'jdbc',
  'url' = 'jdbc:postgresql://{{ endpoints.postgresql.inside.host }}:{{ endpoints.postgresql.inside.port }}/{{ config.views.database }}',
  'table-name' = 'mv_color_performance_trends',
  'username' = {{sql secrets.views.username}},
  'password' = {{sql secrets.views.password}},
  'sink.buffer-flush.interval' = '200ms',
  'sink.max-retries' = '5'
);

{{#unless refill}}
EXECUTE STATEMENT SET
BEGIN

{{/unless}}
-- Views: the current value of each key.
INSERT INTO mv_leaderboard
SELECT player, SUM(CAST(score AS BIGINT)), COUNT(*) FILTER (WHERE favorite_color_bonus), CAST(MAX(event_ts) AS TIMESTAMP(3))
FROM balloon_game_events
GROUP BY player;

INSERT INTO mv_balloon_color_stats
SELECT player, balloon_color, COUNT(*), SUM(CAST(score AS BIGINT)), COUNT(*) FILTER (WHERE favorite_color_bonus), CAST(MAX(event_ts) AS TIMESTAMP(3))
FROM balloon_game_events
GROUP BY player, balloon_color;

INSERT INTO mv_realtime_scores
SELECT /*+ STATE_TTL('balloon_game_windows' = '1h') */ player, SUM(CAST(score AS BIGINT)), window_start, window_end
FROM balloon_game_windows
GROUP BY player, window_start, window_end;

INSERT INTO mv_balloon_colored_pops
SELECT /*+ STATE_TTL('balloon_game_windows' = '1h') */ player, balloon_color, COUNT(*), SUM(CAST(score AS BIGINT)), COUNT(*) FILTER (WHERE favorite_color_bonus), window_start, window_end
FROM balloon_game_windows
GROUP BY player, balloon_color, window_start, window_end;

INSERT INTO mv_color_performance_trends
SELECT /*+ STATE_TTL('balloon_game_windows' = '1h') */ balloon_color, CAST(AVG(CAST(score AS DECIMAL(18, 10))) AS DECIMAL(28, 10)), COUNT(*), window_start, window_end
FROM balloon_game_windows
GROUP BY balloon_color, window_start, window_end;

{{#unless refill}}
-- Iceberg: a running total per event, ordered by processing time so that none waits for the watermark.
INSERT INTO lake.{{ config.lake.namespace }}.leaderboard
SELECT player, SUM(CAST(score AS BIGINT)) OVER w, COUNT(CASE WHEN favorite_color_bonus THEN 1 END) OVER w, MAX(CAST(event_ts AS TIMESTAMP_LTZ(6))) OVER w
FROM balloon_game_events
WINDOW w AS (PARTITION BY player ORDER BY processed_at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW);

INSERT INTO lake.{{ config.lake.namespace }}.balloon_color_stats
SELECT player, balloon_color, COUNT(*) OVER w, SUM(CAST(score AS BIGINT)) OVER w, COUNT(CASE WHEN favorite_color_bonus THEN 1 END) OVER w, MAX(CAST(event_ts AS TIMESTAMP_LTZ(6))) OVER w
FROM balloon_game_events
WINDOW w AS (PARTITION BY player, balloon_color ORDER BY processed_at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW);

-- Iceberg: windows, appended once when they close.
INSERT INTO lake.{{ config.lake.namespace }}.realtime_scores
SELECT player, SUM(CAST(score AS BIGINT)), CAST(window_start AS TIMESTAMP_LTZ(6)), CAST(window_end AS TIMESTAMP_LTZ(6))
FROM TABLE(TUMBLE(TABLE balloon_game_events, DESCRIPTOR(in_time), INTERVAL '15' SECOND))
GROUP BY player, window_start, window_end;

INSERT INTO lake.{{ config.lake.namespace }}.balloon_colored_pops
SELECT player, balloon_color, COUNT(*), SUM(CAST(score AS BIGINT)), COUNT(*) FILTER (WHERE favorite_color_bonus), CAST(window_start AS TIMESTAMP_LTZ(6)), CAST(window_end AS TIMESTAMP_LTZ(6))
FROM TABLE(TUMBLE(TABLE balloon_game_events, DESCRIPTOR(in_time), INTERVAL '15' SECOND))
GROUP BY player, balloon_color, window_start, window_end;

INSERT INTO lake.{{ config.lake.namespace }}.color_performance_trends
SELECT balloon_color, CAST(AVG(CAST(score AS DECIMAL(18, 10))) AS DECIMAL(28, 10)), COUNT(*), CAST(window_start AS TIMESTAMP_LTZ(6)), CAST(window_end AS TIMESTAMP_LTZ(6))
FROM TABLE(TUMBLE(TABLE balloon_game_events, DESCRIPTOR(in_time), INTERVAL '15' SECOND))
GROUP BY balloon_color, window_start, window_end;

END;
{{/unless}}
