import { parentPort } from 'node:worker_threads';
import type { Snapshot } from '../../api/snapshot.ts';
import { createLogger, type LogLevel, type RootLogger } from '../../common/logger.ts';
import { Watched } from '../../common/watch.ts';
import { clusterRows } from '../admin/cluster-rows.ts';
import { CertificateStore } from '../identity/certificate-store.ts';
import type { IdentityMaterial } from '../identity/identity.ts';
import { SidecarProxy } from '../proxy.ts';
import { AccessLog } from '../telemetry/access-log.ts';
import { collectWorker } from '../telemetry/collect-proxy.ts';
import { Metrics } from '../telemetry/metrics.ts';
import { ReceivedCells } from './cells.ts';
import type { Answers, FromWorker, Question, ToWorker, WorkerStart } from './messages.ts';
import { PostedLines } from './posted-lines.ts';
import { RemoteNames } from './remote-names.ts';
import { clockSince } from './thread-clock.ts';

/** Runs a worker beside the first one: a data plane, and what the first thread has of everything else. Settles when it listens. */
export const runWorker = async (start: WorkerStart): Promise<void> => {
  const { config, version, number } = start;
  if (parentPort === null) throw new Error('a worker runs beside a first thread');
  const port = parentPort;
  const post = (message: FromWorker): void => port.postMessage(message);
  const lines = new PostedLines(batch => post({ kind: 'lines', lines: batch }));
  const log: RootLogger = createLogger(config.logLevel as LogLevel, lines);
  const clock = clockSince(start.clockOriginMs);
  const cells = new ReceivedCells();
  cells.receive(start.cells);
  const snapshots = new Watched<Snapshot>(start.snapshot);
  const identities = new CertificateStore({ clock });
  const names = new RemoteNames({
    snapshots,
    namespace: config.namespace,
    controlled: start.controlled,
    find: target => post({ kind: 'find', target }),
    use: target => post({ kind: 'used', target }),
    clock,
  });
  const metrics = new Metrics({ clock, build: { version, nodeVersion: process.version } });
  const proxy = new SidecarProxy({
    config,
    version,
    discovery: names,
    identities,
    metrics,
    accessLog: new AccessLog(config.accessLog, lines),
    log,
    clock,
    random: Math.random,
    place: {
      number,
      count: config.workers,
      cells: cells.of,
      tell: news => post({ kind: 'news', news }),
      addresses: start.addresses,
    },
  });
  collectWorker(metrics, proxy);

  let ready = false;
  const tellReady = (): void => {
    if (ready || snapshots.value.configVersion === '' || identities.current === undefined) return;
    ready = true;
    post({ kind: 'ready' });
  };
  const takeIdentity = (material: IdentityMaterial): void => {
    const refusal = identities.replace(material);
    if (refusal !== undefined) log.error('A worker cannot use the certificate.', { worker: number, ...refusal });
    tellReady();
  };
  const answer = async (question: Question, withinMs: number): Promise<Answers[Question]> => {
    switch (question) {
      case 'metrics':
        return metrics.part();
      case 'clusters':
        return clusterRows(proxy, clock.nowMs());
      case 'drainFromPeers':
        await proxy.drainFromPeers(withinMs);
        return true;
      case 'drainFromApp':
        await proxy.drainFromApp(withinMs);
        return true;
      case 'close':
        proxy.close();
        lines.flush();
        return true;
      default:
        return question satisfies never;
    }
  };
  const hear = (message: ToWorker): void => {
    switch (message.kind) {
      case 'snapshot':
        cells.receive(message.cells);
        snapshots.set(message.snapshot);
        tellReady();
        return;
      case 'identity':
        takeIdentity(message.material);
        return;
      case 'found':
        names.found(message.target, message.result);
        return;
      case 'news':
        proxy.hear(message.news);
        return;
      case 'logLevel':
        log.level = message.level;
        return;
      case 'ask':
        void answer(message.question, message.withinMs).then(value => post({ kind: 'answer', id: message.id, value }));
        return;
      default:
        message satisfies never;
    }
  };
  if (start.identity !== undefined) takeIdentity(start.identity);
  await proxy.listen();
  port.on('message', hear);
  post({ kind: 'listening' });
  tellReady();
};
