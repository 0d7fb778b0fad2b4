import fc from 'fast-check';
import t from 'tap';
import { readKubernetesProtobuf } from '../../../../control-plane/rest/kubernetes-protobuf.ts';

/** A field that is a number (below 128), a text, or a message. */
const field = (number: number, value: number | string | Buffer): Buffer => {
  const head = (wire: number) => {
    const tag = number * 8 + wire;
    return Buffer.from(tag < 128 ? [tag] : [128 + (tag % 128), Math.floor(tag / 128)]);
  };
  if (typeof value === 'number') return Buffer.concat([head(0), Buffer.from([value])]);
  const bytes = Buffer.from(value);
  return Buffer.concat([head(2), Buffer.from([bytes.length]), bytes]);
};
const message = (...fields: Buffer[]): Buffer => Buffer.concat(fields);
const envelope = (apiVersion: string, kind: string, raw: Buffer): Buffer =>
  message(
    Buffer.from('k8s\0'),
    field(1, message(field(1, apiVersion), field(2, kind))),
    field(2, raw),
    field(3, ''),
    field(4, ''),
  );

t.test('an object is read as its JSON would be, without what Go leaves empty', t => {
  const port = message(
    field(1, 'http'),
    field(2, 'TCP'),
    field(3, 80),
    field(4, message(field(1, 0), field(2, 81), field(3, ''))),
    field(5, 0),
  );
  const named = message(field(3, 90), field(4, message(field(1, 1), field(2, 0), field(3, 'grpc'))));
  const label = message(field(1, 'app'), field(2, 'web'));
  const metadata = message(
    field(1, 'web'),
    field(2, ''),
    field(8, message()),
    field(11, label),
    field(11, message(field(1, 'b'))),
  );
  const spec = message(field(1, port), field(1, named), field(13, 0), field(18, 'a'), field(18, 'b'));
  const service = message(field(1, metadata), field(2, spec), field(3, message(field(1, ''))));
  t.same(readKubernetesProtobuf(envelope('v1', 'Service', service)), {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', labels: { app: 'web', b: '' } },
    spec: {
      ports: [
        { name: 'http', protocol: 'TCP', port: 80, targetPort: 81 },
        { port: 90, targetPort: 'grpc' },
      ],
      clusterIPs: ['a', 'b'],
    },
  });
  t.end();
});

t.test('what is broken or not known is refused', t => {
  const refused = (bytes: Buffer, message: RegExp) =>
    t.throws(() => readKubernetesProtobuf(bytes), { name: 'DocumentError', message });
  refused(Buffer.from('{}'), /does not begin with/);
  refused(envelope('v1', 'Pod', message()), /only taken for v1 Namespace, /);
  refused(envelope('v1', 'Namespace', field(9, 'x')), /number 9\) that is not known/);
  refused(envelope('v1', 'Namespace', field(1, 5)), /text or a message was expected/);
  refused(envelope('v1', 'Service', field(2, field(13, 'x'))), /a number was expected/);
  refused(envelope('v1', 'Namespace', Buffer.from([0x0a, 0x7f])), /cut off/);
  refused(envelope('v1', 'Namespace', Buffer.from([0x0d])), /wire type 5/);
  refused(envelope('v1', 'Namespace', Buffer.alloc(12, 0xff)), /too large/);
  t.end();
});

t.test('any bytes are read or refused', t => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), bytes => {
      try {
        readKubernetesProtobuf(envelope('v1', 'Service', Buffer.from(bytes.subarray(0, 120))));
        readKubernetesProtobuf(message(Buffer.from('k8s\0'), Buffer.from(bytes)));
      } catch (error) {
        t.equal((error as Error).name, 'DocumentError');
      }
    }),
    { numRuns: 300 },
  );
  t.end();
});
