import fc from 'fast-check';
import t from 'tap';
import { faultReply } from '../../../../../sidecar/protocol/hessian/fault.ts';
import { parseReply } from '../../../../../sidecar/protocol/hessian/reply.ts';
import { hessianFault, hessianReply, readReply, WIRES } from '../../../../support/hessian-bytes.ts';

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');

t.test('replies, faults and unknown methods are told apart in every version', t => {
  for (const wire of WIRES) {
    t.equal(parseReply(hessianReply(wire, 'F'), false), 'reply', wire);
    t.equal(parseReply(hessianFault(wire, 'ServiceException', 'x'), false), 'fault');
    t.equal(parseReply(hessianFault(wire, 'NoSuchMethodException', 'x'), false), 'unknown_method');
    t.equal(parseReply(hessianFault(wire, 'NoSuchObjectException', 'x'), false), 'unknown_method');
  }
  t.equal(parseReply(latin1('r\x01\0H\0\x01xS\0\x01ffS\0\x04code'), true), 'fault', 'behind headers');
  t.equal(parseReply(latin1('r\x01\0H\0\x01xS\0\x01fNz'), true), 'reply');
  t.equal(parseReply(latin1('H\x02\0FM'), true), 'fault', 'a fault of another form');
  t.equal(parseReply(latin1('H\x02\0FH\x07message\x01x'), true), 'fault');
  t.equal(parseReply(latin1('r\x01\0fN'), true), 'fault');
  t.end();
});

t.test('on doubt it is a reply', t => {
  for (const text of ['', 'H', 'H\x02', 'r\x01\0', '<html>', 'F\0\0F', 'r\x01\0H\0\x01x?f', 'r\x01\0H\0\x01\xff'])
    t.equal(parseReply(latin1(text), true), 'reply', JSON.stringify(text));
  t.equal(parseReply(latin1(`r\x01\0${'H\0\x01xN'.repeat(500)}f`), false), 'reply', 'too far away');
  t.end();
});

t.test('any split of a reply gives the same', t => {
  const code = fc.constantFrom('ServiceException', 'NoSuchMethodException', 'x', 'y'.repeat(30));
  const bytes = fc
    .tuple(fc.constantFrom(...WIRES), code, fc.boolean())
    .map(([wire, text, fault]) => (fault ? hessianFault(wire, text, 'message') : hessianReply(wire, text)));
  fc.assert(
    fc.property(bytes, reply => {
      const whole = parseReply(reply, true);
      for (let end = 0; end < reply.length; end++) {
        const part = parseReply(reply.subarray(0, end), false);
        if (part !== undefined && part !== whole) return false;
      }
      return true;
    }),
  );
  t.end();
});

t.test('faults of the mesh are read by hessian.js in both versions', t => {
  for (const version of [1, 2] as const)
    for (const length of [0, 31, 32, 255, 256, 1_023, 5_000]) {
      const fault = readReply(faultReply(version, 'ServiceException', 'x'.repeat(length)));
      t.same(fault, { kind: 'fault', code: 'ServiceException', message: 'x'.repeat(Math.min(length, 1_023)) });
      t.equal(parseReply(faultReply(version, 'ServiceException', 'x'), true), 'fault');
    }
  t.match(readReply(faultReply(2, 'ProtocolException', 'é\n')), { message: '??' });
  t.end();
});
