/** An update as lines, made one at a time as the stream takes them, so that a slow sidecar holds no copy in our memory. */
import type { ChangedService, Delta, Target } from './target.ts';

/** A line grows by whole services until it is this long. */
const LINE_CHARACTERS = 262_144;

export function* updateLines(update: number, target: Target, delta: Delta): Generator<string, void, void> {
  const head =
    `{"type":"update","update":${update},"configVersion":"${target.configVersion}",` +
    `"endpointVersion":"${target.endpointVersion}","trustDomain":${JSON.stringify(target.trustDomain)},` +
    `"outboundPolicy":"${target.outboundPolicy}","pathNormalization":"${target.pathNormalization}","healthChecks":${JSON.stringify(target.healthChecks)}` +
    `${target.mtls ? `,"mtls":${JSON.stringify(target.mtls)}` : ''}`;
  let changes: string[] = [];
  let characters = 0;
  for (const each of delta.changed) {
    const change = changeJson(each);
    changes.push(change);
    characters += change.length;
    if (characters < LINE_CHARACTERS) continue;
    yield `${head},"done":false,"changed":[${changes.join()}],"removed":[],"answers":{}}\n`;
    changes = [];
    characters = 0;
  }
  yield `${head},"done":true,"changed":[${changes.join()}],"removed":${JSON.stringify(delta.removed)},"answers":${JSON.stringify(delta.answers)}}\n`;
}

const changeJson = ({ service, config, endpoints }: ChangedService): string =>
  `{"service":${JSON.stringify(service.key)},"versions":${JSON.stringify(service.versions)}` +
  `${config ? `,"config":${service.configJson}` : ''}${endpoints ? `,"endpoints":${service.endpointsJson}` : ''}}`;
