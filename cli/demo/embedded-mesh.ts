import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HTTP_ROUTE } from '../../api/http-route.ts';
import type { ApiObject, Stored } from '../../api/object.ts';
import type { ResourceKind } from '../../api/resource-kind.ts';
import { SERVICE } from '../../api/service.ts';
import { WORKLOAD, type Workload } from '../../api/workload.ts';
import { systemClock } from '../../common/clock.ts';
import { createLogger, openLogOutput } from '../../common/logger.ts';
import { ControlPlane } from '../../control-plane/control-plane.ts';
import { Client } from '../client.ts';
import { collectionPath } from '../resource-names.ts';
import { version } from '../version.ts';

const ANY_PORT = { host: '127.0.0.1', port: 0 };
const KINDS: readonly ResourceKind[] = [SERVICE, HTTP_ROUTE];

/** A control plane in this process, on free ports of 127.0.0.1, with its store in a temporary folder. Owned by the demo. */
export class EmbeddedMesh implements AsyncDisposable {
  /** With what the `outrider` commands reach it, and nothing of ours that would lead them elsewhere. */
  readonly env: NodeJS.ProcessEnv;
  private readonly plane: ControlPlane;
  private readonly client: Client;
  private readonly folder: string;

  private constructor(plane: ControlPlane, folder: string) {
    this.plane = plane;
    this.folder = folder;
    const others = Object.entries(process.env).filter(([name]) => !name.startsWith('OUTRIDER_'));
    this.env = {
      ...Object.fromEntries(others),
      OUTRIDER_SERVER: plane.restUrl,
      OUTRIDER_CONTROL_PLANE: `https://127.0.0.1:${plane.channel.port}`,
      OUTRIDER_DATA_DIR: folder,
    };
    this.client = new Client({}, this.env);
  }

  static async start(): Promise<EmbeddedMesh> {
    const folder = mkdtempSync(join(tmpdir(), 'outrider-demo-'));
    try {
      const plane = await ControlPlane.start({
        dataDir: folder,
        rest: ANY_PORT,
        channel: ANY_PORT,
        metrics: ANY_PORT,
        trustDomain: 'mesh.local',
        certificateLifetimeMs: 3_600_000,
        dnsNames: [],
        ipAddresses: [],
        release: version,
        clock: systemClock,
        random: Math.random,
        log: createLogger('error', openLogOutput(2)).pino,
      });
      return new EmbeddedMesh(plane, folder);
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /** Over the REST API, as a user does. */
  async create(objects: readonly ApiObject[]): Promise<void> {
    for (const object of objects) {
      const kind = KINDS.find(each => each.kind === object.kind);
      if (kind === undefined) throw new Error(`the demo declares no ${object.kind}`);
      await this.client.call('POST', collectionPath(kind, object.metadata.namespace ?? ''), { body: object });
    }
  }

  /** Instances that callers are sent to. */
  async healthyWorkloads(): Promise<number> {
    const { items } = (await this.client.call('GET', collectionPath(WORKLOAD, undefined))) as {
      readonly items: readonly Stored<Workload>[];
    };
    return items.filter(({ status }) => status?.health === 'Healthy').length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client[Symbol.asyncDispose]();
    await this.plane[Symbol.asyncDispose]();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
