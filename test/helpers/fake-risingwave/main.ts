import { fakeRisingWave } from './server.js';

/** As a program: main.ts PORT, on loopback, until it is ended. */
const port = Number(process.argv[2]);
if (!Number.isInteger(port) || port < 0 || port > 65_535) {
  process.stderr.write('usage: main.ts PORT\n');
  process.exit(2);
}
const { server } = fakeRisingWave();
server.once('error', (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
server.listen(port, '127.0.0.1', () => {
  const address = server.address();
  process.stdout.write(`RisingWave (fake) listens on 127.0.0.1:${typeof address === 'object' ? address?.port : port}\n`);
});
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(143));
