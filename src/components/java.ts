export interface JavaOptions {
  heap: string;
  tmp: string;
  /** MiB; more is a leak and better found than fed. */
  metaspace: number;
  /** Class path entries. */
  classPath: string[];
  more?: string[];
}

/**
 * Flags that keep a Java server of a laptop small and quick to start: one collector thread, a heap that grows only as
 * far as it is used, and the first compiler alone (of Kafka it takes a third of the start-up time and 30 MiB).
 */
export function javaArgs(options: JavaOptions): string[] {
  return [
    `-Xmx${options.heap}`,
    '-Xms16m',
    '-Xss512k',
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    '-XX:ReservedCodeCacheSize=64m',
    '-XX:MinHeapFreeRatio=15',
    '-XX:MaxHeapFreeRatio=30',
    `-XX:MaxMetaspaceSize=${options.metaspace}m`,
    '-XX:-UsePerfData',
    '-XX:+ExitOnOutOfMemoryError',
    `-Djava.io.tmpdir=${options.tmp}`,
    '-Djava.net.preferIPv4Stack=true',
    ...(options.more ?? []),
    '-cp',
    options.classPath.join(':'),
  ];
}

/** Otherwise the C library keeps a pool of memory for each of many threads. */
export const JAVA_ENV = { MALLOC_ARENA_MAX: '1' };
