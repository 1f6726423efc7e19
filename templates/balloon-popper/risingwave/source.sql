-- Balloon Popper on RisingWave: the events from Kafka, and five views of their current value.
-- Written by forge. By hand: psql -f source.sql, then psql -f sink.sql

-- Every event, late ones too.
CREATE SOURCE IF NOT EXISTS balloon_game_events (
  player varchar,
  balloon_color varchar,
  score integer,
  favorite_color_bonus boolean,
  event_ts timestamptz
) WITH (
  connector = 'kafka',
  topic = {{sql config.topic.name}},
  properties.bootstrap.server = {{sql endpoints.kafka.inside.url}},
  scan.startup.mode = 'earliest'
) FORMAT PLAIN ENCODE JSON;

-- The same events for windows that close. RisingWave drops what is behind a watermark for all who read the source, and so
-- the views have a source without one.
CREATE SOURCE IF NOT EXISTS balloon_game_events_in_time (
  player varchar,
  balloon_color varchar,
  score integer,
  favorite_color_bonus boolean,
  event_ts timestamptz,
  WATERMARK FOR event_ts AS event_ts - INTERVAL '2 SECONDS'
) WITH (
  connector = 'kafka',
  topic = {{sql config.topic.name}},
  properties.bootstrap.server = {{sql endpoints.kafka.inside.url}},
  scan.startup.mode = 'earliest'
) FORMAT PLAIN ENCODE JSON;

-- An event that lacks what a view needs is left out: the Iceberg tables take no NULL, and one would stop the sink.
CREATE MATERIALIZED VIEW IF NOT EXISTS mv_leaderboard AS
SELECT
  player,
  sum(score) AS total_score,
  count(CASE WHEN favorite_color_bonus THEN 1 END) AS bonus_hits,
  max(event_ts) AS event_ts
FROM balloon_game_events
WHERE player IS NOT NULL AND score IS NOT NULL AND event_ts IS NOT NULL
GROUP BY player;

CREATE MATERIALIZED VIEW IF NOT EXISTS mv_balloon_color_stats AS
SELECT
  player,
  balloon_color,
  count(*) AS balloon_pops,
  sum(score) AS points_by_color,
  count(CASE WHEN favorite_color_bonus THEN 1 END) AS bonus_hits,
  max(event_ts) AS event_ts
FROM balloon_game_events
WHERE player IS NOT NULL AND balloon_color IS NOT NULL AND score IS NOT NULL AND event_ts IS NOT NULL
GROUP BY player, balloon_color;

-- Windows of 15 seconds, shown while they are open.
CREATE MATERIALIZED VIEW IF NOT EXISTS mv_realtime_scores AS
SELECT
  player,
  sum(score) AS total_score,
  window_start,
  window_end
FROM TUMBLE(balloon_game_events, event_ts, INTERVAL '15 SECONDS')
WHERE player IS NOT NULL AND score IS NOT NULL AND event_ts IS NOT NULL
GROUP BY player, window_start, window_end;

CREATE MATERIALIZED VIEW IF NOT EXISTS mv_balloon_colored_pops AS
SELECT
  player,
  balloon_color,
  count(*) AS balloon_pops,
  sum(score) AS points_by_color,
  count(CASE WHEN favorite_color_bonus THEN 1 END) AS bonus_hits,
  window_start,
  window_end
FROM TUMBLE(balloon_game_events, event_ts, INTERVAL '15 SECONDS')
WHERE player IS NOT NULL AND balloon_color IS NOT NULL AND score IS NOT NULL AND event_ts IS NOT NULL
GROUP BY player, balloon_color, window_start, window_end;

CREATE MATERIALIZED VIEW IF NOT EXISTS mv_color_performance_trends AS
SELECT
  balloon_color,
  round(avg(score), 10) AS avg_score_per_pop,
  count(*) AS total_pops,
  window_start,
  window_end
FROM TUMBLE(balloon_game_events, event_ts, INTERVAL '15 SECONDS')
WHERE balloon_color IS NOT NULL AND score IS NOT NULL AND event_ts IS NOT NULL
GROUP BY balloon_color, window_start, window_end;
