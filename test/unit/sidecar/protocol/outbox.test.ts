import { Duplex } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import t from 'tap';
import { BlockPool, Outbox } from '../../../../sidecar/protocol/outbox.ts';

/** A socket that notes its writes, and takes them when it is told to. */
class Sink extends Duplex {
  readonly writes: Buffer[] = [];
  ended = false;
  private readonly waiting: (() => void)[] = [];
  private readonly slow: boolean;
  constructor(slow = false) {
    super();
    this.slow = slow;
  }
  override _read(): void {}
  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.writes.push(Buffer.from(chunk));
    if (this.slow) this.waiting.push(done);
    else done();
  }
  override _final(done: () => void): void {
    this.ended = true;
    done();
  }
  accept(): void {
    this.waiting.shift()?.();
  }
  get text(): string {
    return Buffer.concat(this.writes).toString();
  }
}

const open = (sink: Sink, pool = new BlockPool()) => {
  let written = 0;
  const outbox = new Outbox(sink as unknown as Duplex, pool, () => written++);
  return { outbox, written: () => written };
};

t.test('what is written in one turn goes out in one write, at its end', async t => {
  const sink = new Sink();
  const { outbox, written } = open(sink);
  outbox.append(Buffer.from('a'));
  outbox.append(Buffer.from('b'));
  t.same(sink.writes, []);
  t.equal(outbox.unwritten, 2);
  await setImmediate();
  t.same(sink.writes.map(String), ['ab']);
  await setImmediate();
  t.equal(written(), 1);
  t.equal(outbox.unwritten, 0);
});

t.test('a large batch goes out at once', t => {
  const sink = new Sink();
  const { outbox } = open(sink);
  for (let i = 0; i < 5; i++) outbox.append(Buffer.alloc(12_000));
  t.equal(sink.writes.length, 1);
  t.equal(sink.writes[0]?.length, 60_000);
  t.end();
});

t.test('what does not fit into the block begins the next one', async t => {
  const sink = new Sink();
  const { outbox } = open(sink);
  outbox.append(Buffer.alloc(40_000, 'a'));
  outbox.append(Buffer.alloc(40_000, 'b'));
  await setImmediate();
  t.equal(sink.text, 'a'.repeat(40_000) + 'b'.repeat(40_000));
});

t.test('more than a block at once is a mistake of ours', t => {
  t.throws(() => open(new Sink()).outbox.append(Buffer.alloc(65_537)), RangeError);
  t.end();
});

t.test('a peer that takes nothing makes it congested, until it does', async t => {
  const sink = new Sink(true);
  const { outbox, written } = open(sink);
  for (let i = 0; i < 6; i++) outbox.append(Buffer.alloc(50_000));
  t.ok(outbox.congested);
  for (let i = 0; i < 6; i++) sink.accept();
  await setImmediate();
  t.notOk(outbox.congested);
  t.equal(written(), 6);
});

t.test('a block is not used again before the socket has taken it', async t => {
  const pool = new BlockPool();
  const sink = new Sink(true);
  const { outbox } = open(sink, pool);
  outbox.append(Buffer.from('first'));
  const { block } = outbox;
  outbox.flush();
  outbox.append(Buffer.from('second'));
  t.not(outbox.block, block);
  sink.accept();
  await setImmediate();
  outbox.flush();
  outbox.append(Buffer.from('third'));
  t.equal(outbox.block, block, 'then it is');
});

t.test('the end: what is there goes out, what comes later does not', async t => {
  const sink = new Sink();
  const { outbox } = open(sink);
  outbox.append(Buffer.from('bye'));
  outbox.end();
  outbox.append(Buffer.from('late'));
  await setImmediate();
  t.equal(sink.text, 'bye');
  t.ok(sink.ended);
});

t.test('closed without an end: nothing more goes out', async t => {
  const sink = new Sink();
  const { outbox } = open(sink);
  outbox.append(Buffer.from('never'));
  outbox.close();
  await setImmediate();
  t.same(sink.writes, []);
});
