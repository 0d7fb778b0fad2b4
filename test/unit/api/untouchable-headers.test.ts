import t from 'tap';
import { checkHeaderNames } from '../../../api/untouchable-headers.ts';

const value = (name: string) => ({ name, value: '1' });

t.test('a header that no filter can change is refused, with the reason', t => {
  const causes = checkHeaderNames(
    {
      set: [value('X-Fine'), value('Content-Length')],
      add: [value('Host'), value('date')],
      remove: ['Connection', 'X-Outrider-Peer', 'etag'],
    },
    'ResponseHeaderModifier',
    'f',
  );
  t.same(
    causes.map(({ field, message }) => `${field} ${message}`),
    [
      'f.set[1].name must not be Content-Length: it belongs to the connection or says where the message ends',
      'f.add[0].name must not be Host: it can only be set, and only in requests',
      'f.remove[0] must not be Connection: it belongs to the connection or says where the message ends',
      "f.remove[1] must not be X-Outrider-Peer: it is the mesh's own",
    ],
  );
  t.end();
});

t.test('Host of a request can be set', t => {
  t.same(checkHeaderNames({ set: [value('host')] }, 'RequestHeaderModifier', 'f'), []);
  t.equal(checkHeaderNames({ set: [value('host')] }, 'ResponseHeaderModifier', 'f').length, 1);
  t.equal(checkHeaderNames({ remove: ['host'] }, 'RequestHeaderModifier', 'f').length, 1);
  t.end();
});
