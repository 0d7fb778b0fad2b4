/**
 * Objects as `kubectl create` sends them for the core kinds: protobuf in Kubernetes' envelope. Only what our kinds know; anything else
 * is refused, so that nothing is lost in silence. Answers are always JSON, which every such client takes too.
 *
 * Source: k8s.io/apimachinery runtime/serializer/protobuf, and the `generated.proto` files of k8s.io/api.
 */

import { DocumentError } from '../../api/parse-document.ts';

/** Before the envelope: "k8s" and a zero byte. */
const MAGIC = Buffer.from('k8s\0');

type Value = 'string' | 'number' | 'boolean' | 'intOrString' | 'stringMap' | 'dropped' | MessageType;

/** Field number to name and type; a name that ends in `[]` may come several times. */
type MessageType = Readonly<Record<number, readonly [name: string, type: Value]>>;

const METADATA: MessageType = {
  1: ['name', 'string'],
  2: ['generateName', 'string'],
  3: ['namespace', 'string'],
  4: ['selfLink', 'string'],
  5: ['uid', 'string'],
  6: ['resourceVersion', 'string'],
  7: ['generation', 'dropped'],
  8: ['creationTimestamp', 'dropped'],
  11: ['labels', 'stringMap'],
  12: ['annotations', 'stringMap'],
  14: ['finalizers[]', 'string'],
  17: ['managedFields', 'dropped'],
};

const SERVICE_PORT: MessageType = {
  1: ['name', 'string'],
  2: ['protocol', 'string'],
  3: ['port', 'number'],
  4: ['targetPort', 'intOrString'],
  5: ['nodePort', 'number'],
  6: ['appProtocol', 'string'],
};

const SERVICE_SPEC: MessageType = {
  1: ['ports[]', SERVICE_PORT],
  2: ['selector', 'stringMap'],
  3: ['clusterIP', 'string'],
  4: ['type', 'string'],
  5: ['externalIPs[]', 'string'],
  7: ['sessionAffinity', 'string'],
  8: ['loadBalancerIP', 'string'],
  9: ['loadBalancerSourceRanges[]', 'string'],
  10: ['externalName', 'string'],
  11: ['externalTrafficPolicy', 'string'],
  12: ['healthCheckNodePort', 'number'],
  13: ['publishNotReadyAddresses', 'boolean'],
  17: ['ipFamilyPolicy', 'string'],
  18: ['clusterIPs[]', 'string'],
  19: ['ipFamilies[]', 'string'],
  20: ['allocateLoadBalancerNodePorts', 'boolean'],
  21: ['loadBalancerClass', 'string'],
  22: ['internalTrafficPolicy', 'string'],
  23: ['trafficDistribution', 'string'],
};

const KINDS: Readonly<Record<string, MessageType>> = {
  'v1 Namespace': {
    1: ['metadata', METADATA],
    2: ['spec', { 1: ['finalizers[]', 'string'] }],
    3: ['status', 'dropped'],
  },
  'v1 Service': { 1: ['metadata', METADATA], 2: ['spec', SERVICE_SPEC], 3: ['status', 'dropped'] },
  'v1 ServiceAccount': { 1: ['metadata', METADATA], 4: ['automountServiceAccountToken', 'boolean'] },
  'authentication.k8s.io/v1 TokenRequest': {
    1: ['metadata', METADATA],
    2: ['spec', { 1: ['audiences[]', 'string'], 4: ['expirationSeconds', 'number'] }],
    3: ['status', 'dropped'],
  },
};

const ENVELOPE: MessageType = {
  1: ['typeMeta', { 1: ['apiVersion', 'string'], 2: ['kind', 'string'] }],
  3: ['contentEncoding', 'string'],
  4: ['contentType', 'string'],
};

/** @throws DocumentError */
export const readKubernetesProtobuf = (body: Buffer): object => {
  if (!body.subarray(0, MAGIC.length).equals(MAGIC)) throw broken('it does not begin with the Kubernetes envelope');
  const fields = [...readFields(body.subarray(MAGIC.length))];
  const raw = fields.find(([number]) => number === 2)?.[1];
  const { typeMeta = {} } = readMessage(
    fields.filter(([number]) => number !== 2),
    ENVELOPE,
  ) as {
    typeMeta?: { apiVersion?: string; kind?: string };
  };
  const type = KINDS[`${typeMeta.apiVersion} ${typeMeta.kind}`];
  if (type === undefined || !Buffer.isBuffer(raw))
    throw new DocumentError(`protobuf is only taken for ${Object.keys(KINDS).join(', ')}; send JSON or YAML`);
  return { ...typeMeta, ...readMessage(readFields(raw), type) };
};

const broken = (why: string): DocumentError => new DocumentError(`the protobuf is broken: ${why}`);

type Field = readonly [number: number, value: number | Buffer];

/** Field numbers and raw values. Protobuf encoding: varint (0), 64 bit (1), bytes (2), 32 bit (5). */
function* readFields(bytes: Buffer): Generator<Field> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 1; shift <= 2 ** 49; shift *= 128) {
      const byte = bytes[at++];
      if (byte === undefined) break;
      value += (byte & 127) * shift;
      if (byte < 128) return value;
    }
    throw broken('a number is cut off, negative or too large');
  };
  while (at < bytes.length) {
    const tag = varint();
    const wire = tag % 8;
    if (wire !== 0 && wire !== 2) throw broken(`wire type ${wire} is not used by these kinds`);
    const number = Math.floor(tag / 8);
    const value = varint();
    if (wire === 0) yield [number, value];
    else {
      if (at + value > bytes.length) throw broken('a field is cut off');
      yield [number, bytes.subarray(at, at + value)];
      at += value;
    }
  }
}

/** Go writes unset fields as empty ones: these are left away, as in its JSON. */
const readMessage = (fields: Iterable<Field>, type: MessageType): Record<string, unknown> => {
  const result: Record<string, unknown> = {};
  for (const [number, value] of fields) {
    const [name, valueType] = type[number] ?? [];
    if (name === undefined || valueType === undefined)
      throw new DocumentError(`the protobuf has a field (number ${number}) that is not known here; send JSON or YAML`);
    const read = readValue(value, valueType);
    if (valueType === 'stringMap') result[name] = Object.assign({}, result[name], read);
    else if (name.endsWith('[]')) {
      const list = name.slice(0, -2);
      result[list] = [...((result[list] as unknown[] | undefined) ?? []), read];
    } else if (read !== undefined) result[name] = read;
  }
  return result;
};

const readValue = (value: number | Buffer, type: Value): unknown => {
  if (type === 'dropped') return undefined;
  if (type === 'number' || type === 'boolean') {
    if (typeof value !== 'number') throw broken('a number was expected');
    return type === 'boolean' ? value !== 0 || undefined : value || undefined;
  }
  if (typeof value === 'number') throw broken('text or a message was expected');
  if (type === 'string') return value.toString() || undefined;
  if (type === 'stringMap') {
    const { key = '', value: text = '' } = readMessage(readFields(value), {
      1: ['key', 'string'],
      2: ['value', 'string'],
    });
    return Object.fromEntries([[key, text]]);
  }
  if (type !== 'intOrString') return readMessage(readFields(value), type);
  const choice = readMessage(readFields(value), { 1: ['type', 'number'], 2: ['int', 'number'], 3: ['text', 'string'] });
  return choice.type === 1 ? choice.text : choice.int;
};
