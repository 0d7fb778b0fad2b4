import { once } from 'node:events';
import { connect } from 'node:tls';
import t from 'tap';
import { type ManualClock, manualClock } from '../../common/clock.ts';
import { openIdentities } from '../../control-plane/identity/identities.ts';
import { ChannelServer } from '../../control-plane/push/channel-server.ts';
import type { PushServer } from '../../control-plane/push/push-server.ts';
import type { SidecarSession } from '../../control-plane/push/sidecar-session.ts';
import { SqliteStore } from '../../control-plane/store/sqlite-store.ts';
import { ControlPlaneStream } from '../../sidecar/discovery/control-plane-stream.ts';
import { silent } from '../support/back-half.ts';
import { identityFrom } from '../support/simulated-sidecar.ts';
import { waitFor } from '../support/wait-for.ts';

const DAY_MS = 86_400_000;

/** The sidecar channel with a clock of its own, and sessions that only write down why they were ended, and when. */
const startChannel = async (dataDir: string) => {
  const clock: ManualClock = manualClock(Date.now());
  const store = new SqliteStore({ path: ':memory:', clock });
  const identities = openIdentities({
    dataDir,
    trustDomain: 'mesh.local',
    certificateLifetimeMs: DAY_MS,
    dnsNames: [],
    ipAddresses: [],
    store,
    clock,
    random: () => 0.5,
    log: silent,
  });
  const refused: { readonly reason: string; readonly atMs: number }[] = [];
  let accepted = 0;
  const session: Partial<SidecarSession> = {
    refuse: reason => refused.push({ reason, atMs: clock.nowMs() }),
    receive: () => {},
    close: () => {},
    closed: false,
  };
  const push: Partial<PushServer> = {
    accept: () => {
      accepted++;
      return session as SidecarSession;
    },
  };
  const channel = await ChannelServer.start({
    host: '127.0.0.1',
    port: 0,
    identities,
    store,
    push: push as PushServer,
    clock,
    log: silent,
  });
  const { port } = channel.address;
  const trustBundlePem = identities.mesh.bundle.pem;
  return {
    clock,
    refused,
    /** The serial number that a new connection is shown, whether or not that certificate begins in the future. */
    serial: async (): Promise<string> => {
      const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false });
      await once(socket, 'secureConnect');
      const { serialNumber } = socket.getPeerCertificate();
      socket.destroy();
      return serialNumber;
    },
    /** A stream of a sidecar whose certificate holds so long. */
    open: async (lifetimeMs: number): Promise<ControlPlaneStream> => {
      const tls = identityFrom(identities.mesh.authority, trustBundlePem, 'default', 'web', lifetimeMs);
      const before = accepted;
      const handlers = { line: () => {}, closed: () => {} };
      const stream = await ControlPlaneStream.open(`https://127.0.0.1:${port}`, tls, handlers);
      await waitFor('the stream', () => accepted > before);
      return stream;
    },
    async [Symbol.asyncDispose]() {
      await channel[Symbol.asyncDispose]();
      identities[Symbol.dispose]();
      await store[Symbol.asyncDispose]();
    },
  };
};

t.test('the control plane renews its own certificate at half of its life, and open streams go on', async t => {
  await using channel = await startChannel(t.testdir());
  const stream = await channel.open(30 * DAY_MS);
  const first = await channel.serial();
  channel.clock.advance(DAY_MS / 2 - 60_000);
  t.equal(await channel.serial(), first);
  channel.clock.advance(120_000);
  t.not(await channel.serial(), first);
  t.same(channel.refused, []);
  stream.close('the test is over');
});

t.test('no stream outlives the certificate of either side', async t => {
  for (const [lifetimeMs, endsAtMs] of [
    [DAY_MS / 4, DAY_MS / 4],
    [30 * DAY_MS, DAY_MS],
  ] as const) {
    await using channel = await startChannel(t.testdir());
    const stream = await channel.open(lifetimeMs);
    channel.clock.advance(endsAtMs - 5_000);
    t.same(channel.refused, []);
    channel.clock.advance(10_000);
    t.match(channel.refused, [{ reason: 'the certificate of this connection has expired' }]);
    t.ok(Math.abs((channel.refused[0]?.atMs ?? 0) - endsAtMs) < 2_000, 'with the certificate, to the second');
    stream.close('the test is over');
  }
});
