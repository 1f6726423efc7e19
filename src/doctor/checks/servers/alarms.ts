/** Lines of logs that tell of trouble by themselves, whoever writes them; nothing that a healthy server ever writes. */
export const ALARM = new RegExp(
  [
    String.raw`java\.lang\.OutOfMemoryError`,
    String.raw`\bMemoryError\b`,
    'No space left on device',
    'Too many open files',
    String.raw`\bPANIC: `,
    String.raw`FATAL: .*(too many clients|remaining connection slots|out of memory|could not (open|write|access) file)`,
    String.raw`invalid page in block`,
    'Shutdown broker because all log dirs',
  ].join('|'),
);
