import { setTimeout as pause } from 'node:timers/promises';

process.once('SIGTERM', () => process.exit(0));
while (true) {
  const answer = await fetch('http://hello/');
  process.stdout.write(`${answer.status} ${await answer.text()}`);
  await pause(1_000);
}
