const text = (name: string): string => `${name} string required`;
const long = (name: string): string => `${name} long required`;
const time = (name: string): string => `${name} timestamptz required`;

/** The tables as the Balloon Popper demo has them. */
export const DEMO_TABLES = {
  leaderboard: {
    fields: [text('player'), long('total_score'), long('bonus_hits'), time('event_ts')],
    partition: ['day(event_ts)', 'identity(player)'],
    sort: ['identity(total_score) desc', 'identity(bonus_hits) desc'],
  },
  balloon_color_stats: {
    fields: [text('player'), text('balloon_color'), long('balloon_pops'), long('points_by_color'), long('bonus_hits'), time('event_ts')],
    partition: ['day(event_ts)', 'identity(balloon_color)', 'identity(player)'],
    sort: ['identity(points_by_color) desc', 'identity(balloon_pops) desc'],
  },
  realtime_scores: {
    fields: [text('player'), long('total_score'), time('window_start'), time('window_end')],
    partition: ['hour(window_start)'],
    sort: [],
  },
  balloon_colored_pops: {
    fields: [
      text('player'),
      text('balloon_color'),
      long('balloon_pops'),
      long('points_by_color'),
      long('bonus_hits'),
      time('window_start'),
      time('window_end'),
    ],
    partition: ['hour(window_start)', 'identity(player)'],
    sort: ['identity(balloon_color) asc'],
  },
  color_performance_trends: {
    fields: [
      text('balloon_color'),
      'avg_score_per_pop decimal(28, 10) required',
      long('total_pops'),
      time('window_start'),
      time('window_end'),
    ],
    partition: ['hour(window_start)', 'identity(balloon_color)'],
    sort: ['identity(balloon_color) asc'],
  },
};
