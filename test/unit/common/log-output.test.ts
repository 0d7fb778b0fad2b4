import { openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import t from 'tap';
import { fileSink, LogOutput, MAX_WAITING_CHARACTERS } from '../../../common/log-output.ts';

type Done = (error: NodeJS.ErrnoException | null, written: number) => void;
const failure = (code: string): NodeJS.ErrnoException => Object.assign(new Error(code), { code });

/** A file descriptor whose reader the test plays: it takes a write with `take`. */
const fakeSink = () => {
  const sink = {
    texts: [] as string[],
    under: undefined as Done | undefined,
    /** What `writeSync` says; a number: so many bytes. */
    sync: [] as (number | NodeJS.ErrnoException)[],
    write: (bytes: Buffer, from: number, done: Done): void => {
      sink.texts.push(bytes.toString('utf8', from));
      sink.under = done;
    },
    writeSync: (bytes: Buffer, from: number): number => {
      const result = sink.sync.shift() ?? bytes.length - from;
      if (typeof result !== 'number') throw result;
      sink.texts.push(bytes.toString('utf8', from, from + result));
      return result;
    },
    take: (written = Buffer.byteLength(sink.texts.at(-1) ?? '')): void => sink.under?.(null, written),
    fail: (code: string): void => sink.under?.(failure(code), 0),
  };
  return sink;
};

t.test('the lines of one turn of the event loop are one write', async t => {
  const sink = fakeSink();
  const output = new LogOutput(sink);
  output.write('a\n');
  output.write('b\n');
  t.same(sink.texts, [], 'nothing is written on the way');
  await setImmediate();
  t.same(sink.texts, ['a\nb\n']);
});

t.test('while the reader is slow lines wait, and come in order', async t => {
  const sink = fakeSink();
  const output = new LogOutput(sink);
  output.write('a\n');
  await setImmediate();
  output.write('b\n');
  output.write('c\n');
  await setImmediate();
  t.same(sink.texts, ['a\n'], 'one write at a time');
  sink.take();
  t.same(sink.texts, ['a\n', 'b\nc\n']);
  t.equal(output.dropped, 0);
});

t.test('a write that was taken in part goes on where it stopped', async t => {
  const sink = fakeSink();
  const output = new LogOutput(sink);
  output.write('äb\n');
  await setImmediate();
  sink.take(2);
  t.same(sink.texts, ['äb\n', 'b\n'], 'in bytes');
  const flushed = output.flush();
  sink.take();
  await flushed;
});

t.test('what does not fit is dropped and counted', async t => {
  const sink = fakeSink();
  const output = new LogOutput(sink);
  output.write('first\n');
  await setImmediate();
  const line = `${'x'.repeat(MAX_WAITING_CHARACTERS / 4 - 1)}\n`;
  for (let i = 0; i < 6; i++) output.write(line);
  t.equal(output.dropped, 2);
  sink.take();
  t.equal(sink.texts[1]?.length, MAX_WAITING_CHARACTERS);
  sink.take();
  output.write('again\n');
  await setImmediate();
  t.equal(sink.texts[2], 'again\n', 'afterwards it goes on');
});

t.test('a reader that is gone stops nothing: its lines are counted as dropped', async t => {
  const sink = fakeSink();
  const output = new LogOutput(sink);
  output.write('a\n');
  output.write('b\n');
  await setImmediate();
  sink.fail('EPIPE');
  t.equal(output.dropped, 2);
  await output.flush();
  output.write('c\n');
  await setImmediate();
  t.same(sink.texts, ['a\nb\n', 'c\n'], 'it might be back');
});

t.test('a full pipe is asked again', async t => {
  const sink = fakeSink();
  const output = new LogOutput(sink);
  output.write('a\n');
  await setImmediate();
  const asked = new Promise<void>(resolve => {
    const { write } = sink;
    sink.write = (...call) => {
      write(...call);
      resolve();
    };
  });
  sink.fail('EAGAIN');
  await asked;
  t.same(sink.texts, ['a\n', 'a\n']);
  t.equal(output.dropped, 0);
});

t.test('at the end of the process what waits is written at once', t => {
  const sink = fakeSink();
  const output = new LogOutput(sink);
  sink.sync = [1, failure('EAGAIN')];
  output.write('ab\n');
  output.flushSync();
  t.equal(sink.texts.join(''), 'ab\n');
  t.end();
});

t.test('at the end of the process a reader that is gone or stuck does not keep it', t => {
  for (const code of ['EPIPE', 'EBADF', 'EAGAIN']) {
    const sink = fakeSink();
    const output = new LogOutput(sink);
    sink.sync = Array.from({ length: 1_000 }, () => failure(code));
    output.write('a\n');
    output.flushSync();
    t.ok(sink.sync.length > 900, code);
  }
  t.end();
});

t.test('a real file gets every line', async t => {
  const file = join(t.testdir(), 'log');
  const output = new LogOutput(fileSink(openSync(file, 'w')));
  const lines = Array.from({ length: 300 }, (_, i) => `line ${i}\n`);
  for (const line of lines.slice(0, 100)) output.write(line);
  await output.flush();
  for (const line of lines.slice(100, 200)) output.write(line);
  await output.flush();
  for (const line of lines.slice(200)) output.write(line);
  output.flushSync();
  t.equal(readFileSync(file, 'utf8'), lines.join(''));
  await output.flush();
});
