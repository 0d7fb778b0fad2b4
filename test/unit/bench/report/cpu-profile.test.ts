import t from 'tap';
import { formatProfile, selfTimes } from '../../../../bench/report/cpu-profile.ts';

const node = (id: number, functionName: string, url = '') => ({ id, callFrame: { functionName, url, lineNumber: 9 } });

const profile = {
  nodes: [node(1, '(idle)'), node(2, 'read', 'file:///home/me/outrider/sidecar/protocol/http1/parse.ts'), node(3, '')],
  startTime: 50_000,
  samples: [1, 2, 2, 3],
  timeDeltas: [900, 1_000, 2_000, 1_000],
};

t.test('self times are summed by place, the most first, without idle time', t => {
  t.same(selfTimes(profile), [
    { place: 'read protocol/http1/parse.ts:10', us: 3_000 },
    { place: '(anonymous)', us: 1_000 },
  ]);
  t.end();
});

t.test('samples before a moment can be left out', t => {
  t.same(selfTimes(profile, 53_000), [
    { place: 'read protocol/http1/parse.ts:10', us: 2_000 },
    { place: '(anonymous)', us: 1_000 },
  ]);
  t.end();
});

t.test('the list shows shares of the busy time', t => {
  const text = formatProfile(selfTimes(profile));
  t.match(text, /^4 ms busy/);
  t.match(text, ' 75.0 %       3 ms  read protocol/');
  t.end();
});
