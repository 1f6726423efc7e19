/** What a restart of LocalStack costs, for remedies: its community edition keeps everything in memory. */
export const RESTART_COSTS = 'it forgets all its objects, so that `up` makes the tables anew and reads the topic again';
