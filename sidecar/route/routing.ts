import type { Snapshot } from '../../api/snapshot.ts';
import type { Clusters } from '../upstream/cluster.ts';
import { RouteTable } from './route-table.ts';

/**
 * What the data plane routes by at this moment: the compiled table, and the clusters behind it. A new table is a new object, so
 * a plan that was made from an older one is recognised by comparing the two. Owned by the proxy.
 */
export class Routing {
  readonly clusters: Clusters;
  private readonly namespace: string;
  private current: RouteTable;
  private version: string;

  constructor(snapshot: Snapshot, namespace: string, clusters: Clusters) {
    this.clusters = clusters;
    this.namespace = namespace;
    this.current = new RouteTable(snapshot, namespace);
    this.version = snapshot.configVersion;
    clusters.apply(snapshot);
  }

  get table(): RouteTable {
    return this.current;
  }

  /** Takes a new snapshot. Endpoints alone leave the table, and with it every plan, as it is. */
  apply(snapshot: Snapshot): void {
    this.clusters.apply(snapshot);
    if (snapshot.configVersion === this.version) return;
    this.version = snapshot.configVersion;
    this.current = new RouteTable(snapshot, this.namespace);
  }
}
