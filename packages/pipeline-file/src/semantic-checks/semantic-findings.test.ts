/** One document per rule that breaks it. A case lists all problems of its change, so that no problem hides. */
import { expect, test } from 'vitest';
import { type Loose, parse, parseChanged, problemsOf } from '../pipeline.test-support.js';

interface Expected {
  readonly path: string;
  readonly message: RegExp;
  readonly suggestion?: string;
}

type Case = readonly [rule: string, change: (spec: Loose) => void, ...problems: Expected[]];

const chainOf = (spec: Loose, edges: readonly (readonly [string, string, object?])[]) => {
  spec.edges = edges.map(([from, to, kind]) => ({ from, to, ...kind }));
};
/** Adds a source `text` that enters `detect`, too. */
const twoSources = (spec: Loose) => {
  spec.sources[0].to = 'detect';
  spec.sources.push({ name: 'text', to: 'detect', datatype: 'BYTES', shape: [1] });
  return spec.sources[1];
};
/** Two sources that meet by key, with stated times. */
const byKey = (spec: Loose) => {
  const time = (name: string) => ({ name, datatype: 'INT64', shape: [1] });
  const image = { name: 'image', datatype: 'UINT8', shape: [-1] };
  const camera = { name: 'camera', datatype: 'BYTES', shape: [1] };
  spec.sources = [
    { name: 'image', to: 'detect', tensors: [image, time('taken_at')], time: 'taken_at' },
    { name: 'depth', to: 'detect', tensors: [camera, time('seen_at')], key: 'camera', time: 'seen_at' },
  ];
  spec.sourceJoin = { by: 'key', windowMs: 50 };
};
const FAN_OUT = { fanOut: { expected: 2 } };
const JOIN = { join: 'all' };

const names: Case[] = [
  [
    'stages have different names',
    (spec) => {
      spec.stages.push({ ...spec.stages[2] });
      spec.edges = [];
      delete spec.sources;
    },
    { path: 'spec.stages[3].name', message: /unique among the stages, found "count", which entry 2 has/ },
  ],
  [
    'variants of a stage have different names',
    (spec) => (spec.stages[0].variants[1].name = 'small'),
    { path: 'spec.stages[0].variants[1].name', message: /unique among the variants of this stage, found "small"/ },
  ],
  [
    'tensors of a source have different names',
    (spec) => {
      const tensor = { name: 'a', datatype: 'FP32', shape: [1] };
      spec.sources = [{ name: 'image', tensors: [tensor, tensor] }];
    },
    { path: 'spec.sources[0].tensors[1].name', message: /unique among the tensors of this source, found "a"/ },
  ],
  [
    'names are not built-in properties of objects',
    (spec) => (spec.stages[1].variants[0].name = 'constructor'),
    { path: 'spec.stages[1].variants[0].name', message: /not a built-in property.*found the text "constructor"/ },
  ],
];

/** `detect` escalates to `classify` below a threshold. */
const cascade = (spec: Loose, when: object) => {
  spec.edges = [
    { from: 'detect', to: 'classify', when: { condition: 'output.sure < threshold', probability: 0.3, ...when } },
  ];
  spec.stages.pop();
  spec.outputs = [{ from: 'detect', unless: 'classify' }, { from: 'classify' }];
  spec.evaluation = { metric: 'accuracy', data: './data' };
  return spec.edges[0].when;
};
const twoThresholds = { threshold: [0.6, 0.8] };
const atThreshold = 'spec.edges[0].when.threshold';

const thresholds: Case[] = [
  [
    'thresholds are ascending',
    (spec) => cascade(spec, { threshold: [0.6, 0.95, 0.8] }),
    { path: `${atThreshold}[2]`, message: /ascending thresholds without duplicates, found 0.8 after 0.95/ },
  ],
  [
    'thresholds are distinct',
    (spec) => cascade(spec, { threshold: [0.6, 0.6] }),
    { path: `${atThreshold}[1]`, message: /without duplicates, found 0.6 after 0.6/ },
  ],
  [
    'a threshold is a number',
    (spec) => cascade(spec, { threshold: [0.6, null] }),
    { path: `${atThreshold}[1]`, message: /expected a number, found nothing/ },
  ],
  [
    'a list of thresholds is short',
    (spec) => cascade(spec, { threshold: Array.from({ length: 17 }, (_, i) => i / 20) }),
    { path: atThreshold, message: /expected at most 16 thresholds, found a list of 17/ },
  ],
  [
    'a threshold is used',
    (spec) => cascade(spec, { ...twoThresholds, condition: 'output.sure < 0.8' }),
    { path: atThreshold, message: /a condition that uses `threshold`/ },
  ],
  [
    'a condition uses a threshold that exists',
    (spec) => cascade(spec, {}),
    { path: 'spec.edges[0].when.condition', message: /Unknown variable: threshold/ },
  ],
  [
    'all edges of a stage have the same thresholds',
    (spec) => {
      cascade(spec, twoThresholds);
      spec.stages.push({ ...spec.stages[1], name: 'second' });
      spec.edges.push({ from: 'detect', to: 'second', when: { ...spec.edges[0].when, threshold: [0.6, 0.9] } });
      spec.outputs.push({ from: 'second' });
    },
    {
      path: 'spec.edges[1].when.threshold',
      message:
        /the thresholds 0.6, 0.8 as on edge 0, because a plan chooses one for all edges of "detect", found 0.6, 0.9/,
    },
  ],
  [
    'a list of probabilities has one per threshold',
    (spec) => cascade(spec, { ...twoThresholds, probability: { small: [0.1, 0.2, 0.3], large: 0.1 } }),
    { path: 'spec.edges[0].when.probability.small', message: /one for each of the 2 thresholds, found 3/ },
  ],
  [
    'a list of probabilities belongs to thresholds',
    (spec) => cascade(spec, { condition: 'output.sure < 0.8', probability: [0.1, 0.2] }),
    { path: 'spec.edges[0].when.probability', message: /one number, because the edge has no thresholds, found 2/ },
  ],
  [
    'at each threshold, the branches of a stage have at most all outputs',
    (spec) => {
      cascade(spec, { ...twoThresholds, probability: [0.3, 0.9] });
      spec.stages.push({ ...spec.stages[1], name: 'second' });
      spec.edges.push({ from: 'detect', to: 'second', when: { condition: 'output.rare', probability: 0.3 } });
      spec.outputs.push({ from: 'second' });
    },
    { path: 'spec.edges[1].when.probability', message: /at most 1 together.*found 1.2 up to here/ },
  ],
  [
    'a pinned threshold is listed',
    (spec) => {
      cascade(spec, twoThresholds);
      spec.stages[0].pins = { threshold: 0.7 };
    },
    { path: 'spec.stages[0].pins.threshold', message: /one of the thresholds 0.6, 0.8, found 0.7/ },
  ],
  [
    'a pinned threshold is a choice',
    (spec) => {
      cascade(spec, { threshold: 0.6 });
      spec.stages[0].pins = { threshold: 0.6 };
    },
    { path: 'spec.stages[0].pins.threshold', message: /no pin, because the stage has no choice of thresholds/ },
  ],
  [
    'a measured combination names a threshold',
    (spec) => {
      cascade(spec, twoThresholds);
      const combinations = [
        { variants: { detect: 'small at 0.6' }, accuracy: 0.8 },
        { variants: { detect: 'small' }, accuracy: 0.8 },
        { variants: { detect: 'small at 0.7' }, accuracy: 0.8 },
      ];
      spec.accuracyTable = { combinations };
    },
    {
      path: 'spec.accuracyTable.combinations[1].variants.detect',
      message: /unknown variant "small", expected one of small at 0.6, small at 0.8, large at 0.6, large at 0.8/,
      suggestion: 'small at 0.6',
    },
    {
      path: 'spec.accuracyTable.combinations[2].variants.detect',
      message: /unknown variant "small at 0.7"/,
      suggestion: 'small at 0.6',
    },
  ],
  [
    'accuracies at several thresholds are measured',
    (spec) => {
      cascade(spec, twoThresholds);
      spec.outputs = [{ from: 'detect' }, { from: 'classify' }];
      delete spec.evaluation;
    },
    { path: atThreshold, message: /the accuracy at several thresholds is not the product.*expected an accuracyTable/ },
  ],
];

/** `detect` and `classify` meet in `count` with a choice of quorums. */
const quorumOf = (spec: Loose, quorum: unknown, other: unknown = quorum) => {
  spec.edges = [
    { from: 'detect', to: 'classify' },
    { from: 'detect', to: 'count', join: { quorum } },
    { from: 'classify', to: 'count', join: { quorum: other } },
  ];
  spec.evaluation = { metric: 'accuracy', data: './data' };
};
const atQuorum = 'spec.edges[1].join.quorum';

const quorums: Case[] = [
  [
    'quorums are ascending',
    (spec) => quorumOf(spec, [2, 1]),
    { path: `${atQuorum}[1]`, message: /ascending quorums without duplicates, found 1 after 2/ },
    { path: 'spec.edges[2].join.quorum[1]', message: /found 1 after 2/ },
  ],
  [
    'a quorum is a whole number',
    (spec) => quorumOf(spec, [1, 1.5], 1),
    { path: `${atQuorum}[1]`, message: /expected a whole number/ },
  ],
  [
    'a malformed quorum does not make measured combinations unknown',
    (spec) => {
      quorumOf(spec, [1, 0], [1, 2]);
      spec.accuracyTable = {
        combinations: [{ variants: { detect: 'small', count: 'only with quorum 2' }, accuracy: 0.8 }],
      };
    },
    { path: `${atQuorum}[1]`, message: /expected a whole number of at least 1, found 0/ },
  ],
  [
    'the largest quorum has its edges',
    (spec) => quorumOf(spec, [1, 3]),
    { path: atQuorum, message: /a quorum of at most 2.*found 3/, suggestion: '2' },
  ],
  [
    'all edges of a join list the same quorums',
    (spec) => quorumOf(spec, [1, 2], 2),
    {
      path: 'spec.edges[2].join',
      message: /the join { quorum: \[1, 2\] } on every edge into "count" as on edge 1, found { quorum: 2 }/,
    },
  ],
  [
    'a plan chooses no quorum of items',
    (spec) => {
      chainOf(spec, [
        ['detect', 'classify', FAN_OUT],
        ['classify', 'count', { join: { quorum: [1, 2] } }],
      ]);
    },
    { path: atQuorum, message: /one quorum, found 1, 2: a plan chooses the quorum of a join of several edges/ },
  ],
  [
    'a member carries the quorum of a combine stage',
    (spec) => {
      quorumOf(spec, [1, 2]);
      for (const stage of spec.stages.slice(0, 2)) stage.optional = true;
      spec.sources[0].to = ['detect', 'classify'];
      spec.edges.shift();
      spec.stages[2] = { name: 'count', combine: { method: 'vote', tensor: 'x' } };
    },
    { path: 'spec.edges[0].join.quorum', message: /an edge into "count" from a stage that is not optional/ },
  ],
  [
    'a pinned quorum is listed',
    (spec) => {
      quorumOf(spec, [1, 2]);
      spec.stages[2].pins = { quorum: 3 };
    },
    { path: 'spec.stages[2].pins.quorum', message: /one of the quorums 1, 2, found 3/ },
  ],
  [
    'a pinned quorum is a choice of its stage',
    (spec) => {
      quorumOf(spec, [1, 2]);
      spec.stages[0].pins = { quorum: 1 };
    },
    { path: 'spec.stages[0].pins.quorum', message: /no pin, because the stage carries no choice of quorums/ },
  ],
];

const references: Case[] = [
  [
    'an edge leaves a known stage',
    (spec) => (spec.edges[0].from = 'detetc'),
    { path: 'spec.edges[0].from', message: /unknown stage "detetc", expected one of detect/, suggestion: 'detect' },
  ],
  [
    'an edge leads to a known stage',
    (spec) => (spec.edges[1].to = 'Count'),
    { path: 'spec.edges[1].to', message: /unknown stage "Count"/, suggestion: 'count' },
  ],
  [
    'an unknown name far from all others has no suggestion',
    (spec) => (spec.edges[1].to = 'xyz'),
    { path: 'spec.edges[1].to', message: /unknown stage "xyz"/ },
  ],
  [
    'an output is a known stage',
    (spec) => (spec.outputs[0].from = 'counts'),
    { path: 'spec.outputs[0].from', message: /unknown stage "counts"/, suggestion: 'count' },
  ],
  [
    'a source enters a known stage',
    (spec) => (spec.sources[0].to = 'detects'),
    { path: 'spec.sources[0].to', message: /unknown stage "detects"/, suggestion: 'detect' },
  ],
  [
    'a source enters a list of known stages',
    (spec) => (spec.sources[0].to = ['detect', 'detects']),
    { path: 'spec.sources[0].to[1]', message: /unknown stage "detects"/, suggestion: 'detect' },
  ],
  [
    'a pin names a variant of its stage',
    (spec) => (spec.stages[0].pins = { variant: 'mlp' }),
    { path: 'spec.stages[0].pins.variant', message: /unknown variant "mlp", expected one of small, large/ },
  ],
  [
    'a combination names known stages',
    (spec) =>
      (spec.accuracyTable = { combinations: [{ variants: { detect: 'small', clasify: 'mlp' }, accuracy: 0.5 }] }),
    {
      path: 'spec.accuracyTable.combinations[0].variants.clasify',
      message: /unknown stage "clasify"/,
      suggestion: 'classify',
    },
  ],
  [
    'a combination names known variants',
    (spec) => (spec.accuracyTable = { combinations: [{ variants: { detect: 'smal' }, accuracy: 0.5 }] }),
    {
      path: 'spec.accuracyTable.combinations[0].variants.detect',
      message: /unknown variant "smal"/,
      suggestion: 'small',
    },
  ],
];

const graph: Case[] = [
  [
    'edges form no cycle',
    (spec) => spec.edges.push({ from: 'count', to: 'detect' }),
    {
      path: 'spec.edges[2]',
      message: /without a cycle, found count → detect → classify → count|found detect → classify → count → detect/,
    },
  ],
  [
    'a stage has no edge to itself',
    (spec) => spec.edges.push({ from: 'count', to: 'count' }),
    { path: 'spec.edges[2]', message: /found count → count/ },
  ],
  [
    'every separate cycle is named',
    (spec) =>
      chainOf(spec, [
        ['detect', 'detect'],
        ['classify', 'count'],
        ['count', 'classify'],
      ]),
    { path: 'spec.edges[0]', message: /found detect → detect/ },
    { path: 'spec.edges[2]', message: /found (count → classify → count|classify → count → classify)/ },
  ],
  [
    'every stage is reached from the source',
    (spec) => {
      chainOf(spec, [['detect', 'count']]);
      spec.sources[0].to = 'detect';
    },
    { path: 'spec.stages[1]', message: /stage "classify" is not reached from the source/ },
  ],
  [
    'two stages are connected once',
    (spec) =>
      chainOf(spec, [
        ['detect', 'classify'],
        ['classify', 'count'],
        ['classify', 'count'],
      ]),
    { path: 'spec.edges[2]', message: /found a second from "classify" to "count"/ },
  ],
  [
    'a join closes a fan-out',
    (spec) => delete spec.edges[0].fanOut,
    { path: 'spec.edges[1].join', message: /expected a fan-out before the join, found fan-out depth 0/ },
  ],
  [
    'an edge is a fan-out or a join',
    (spec) => Object.assign(spec.edges[1], FAN_OUT),
    { path: 'spec.edges[1].join', message: /expected either fanOut or join, found both/ },
  ],
  [
    'shares of priorities sum to at most 1',
    (spec) => (spec.admission = { priorities: { shares: [0.6, 0.3, 0.2] } }),
    { path: 'spec.admission.priorities.shares', message: /sum is at most 1, found a sum of 1\.100/ },
  ],
  [
    'the default priority is one of those with a share',
    (spec) => (spec.admission = { priorities: { shares: [0] } }),
    { path: 'spec.admission.priorities.shares', message: /expected at least 2 shares.* found 1/ },
  ],
  [
    'a partial result is that of a join',
    (spec) => (spec.edges[0].onMissing = 'partial'),
    { path: 'spec.edges[0].onMissing', message: /expected .onMissing: partial. on a .join: all. edge/ },
  ],
  [
    'a distribution of items has the expected mean',
    (spec) => (spec.edges[0].fanOut = { expected: 2, distribution: [0, 0.2, 0.3, 0.5] }),
    { path: 'spec.edges[0].fanOut.distribution', message: /expected fractions whose mean is "expected" \(2\).*2\.300/ },
  ],
  [
    'a distribution of items has items',
    (spec) => (spec.edges[0].fanOut = { expected: 2, distribution: [0, 0, 0] }),
    { path: 'spec.edges[0].fanOut.distribution', message: /found a mean of NaN/ },
  ],
  [
    'inputs of a stage have the same depth',
    (spec) => spec.edges.push({ from: 'detect', to: 'count', ...FAN_OUT }),
    { path: 'spec.edges[2]', message: /expected fan-out depth 0 as on the other inputs of "count", found 1/ },
  ],
  [
    'a request does not enter inside a fan-out',
    (spec) => (spec.sources[0].to = ['detect', 'classify']),
    { path: 'spec.edges[0]', message: /expected fan-out depth 0 as on the other inputs of "classify", found 1/ },
  ],
  [
    'inputs of a stage come from one fan-out',
    (spec) => {
      spec.stages.push({ ...spec.stages[2], name: 'last' });
      spec.outputs[0].from = 'last';
      chainOf(spec, [
        ['detect', 'classify', FAN_OUT],
        ['detect', 'count', FAN_OUT],
        ['classify', 'last', JOIN],
        ['count', 'last', JOIN],
        ['count', 'classify'],
      ]);
    },
    { path: 'spec.edges[4]', message: /expected all edges into "classify" to come from one fan-out/ },
  ],
  ['an output may lie inside a fan-out', (spec) => (spec.outputs[0].from = 'classify')],
  [
    'an implied output may lie inside a fan-out',
    (spec) => {
      delete spec.outputs;
      delete spec.edges[1].join;
    },
  ],
];

const targets: Case[] = [
  [
    'no more than half of the latency is kept for the answer',
    (spec) => (spec.admission = { answerMarginMs: spec.slo.latencyMs / 2 + 1 }),
    {
      path: 'spec.admission.answerMarginMs',
      message: /^expected at most 200, half of slo.latencyMs, found 201$/,
      suggestion: '200',
    },
  ],
  [
    'a percentile is not a fraction',
    (spec) => (spec.slo.percentile = 0.999),
    { path: 'spec.slo.percentile', message: /found 0.999; write the 99th percentile as 99/, suggestion: '99.9' },
  ],
  [
    'a percentile is below 100',
    (spec) => (spec.slo.percentile = 100),
    { path: 'spec.slo.percentile', message: /^expected a number above 0 and below 100, found 100$/ },
  ],
  [
    'min-cost has a floor',
    (spec) => (spec.objective = 'min-cost'),
    { path: 'spec.accuracyFloor', message: /^missing field "accuracyFloor"/ },
  ],
  [
    'a floor is a fraction',
    (spec) => Object.assign(spec, { objective: 'min-cost', accuracyFloor: 60 }),
    { path: 'spec.accuracyFloor', message: /fractions are 0…1/, suggestion: '0.6' },
  ],
  [
    'some weight is above 0',
    (spec) => (spec.objective = { weights: { accuracy: 0, cost: 0, batch: 0 } }),
    { path: 'spec.objective.weights', message: /found 0 for all three/ },
  ],
  ['there may be several sources', (spec) => twoSources(spec)],
  [
    'each of several sources names its stages',
    (spec) => delete twoSources(spec).to,
    { path: 'spec.sources[1].to', message: /^missing field "to", expected it at each of several sources$/ },
  ],
  [
    'if one of several sources has samples, each has',
    (spec) => (twoSources(spec).samples = '.'),
    { path: 'spec.sources[0].samples', message: /^missing field "samples"/ },
  ],
  [
    'each of several sources declares its tensors',
    (spec) => {
      delete twoSources(spec).datatype;
      delete spec.sources[1].shape;
    },
    { path: 'spec.sources[1]', message: /^expected the tensors of each of several sources, found none/ },
  ],
  [
    'several sources have different tensors',
    (spec) => {
      twoSources(spec);
      spec.sources[1] = { name: 'other', to: 'detect', tensors: [{ name: 'image', datatype: 'FP32', shape: [1] }] };
    },
    {
      path: 'spec.sources[1]',
      message: /^expected tensor names that no other source has, found "image", which source 0/,
    },
  ],
  [
    'one of several sources is not called like a stage',
    (spec) => (twoSources(spec).name = 'count'),
    { path: 'spec.sources[1].name', message: /^expected a name that no stage has, found "count"/ },
  ],
  [
    'a source with a share may be missing',
    (spec) => (twoSources(spec).share = 0.5),
    { path: 'spec.sources[1].share', message: /^expected `onMissing: partial` next to a share/ },
  ],
  [
    'one of several sources is always there',
    (spec) => {
      twoSources(spec).onMissing = 'partial';
      spec.sources[0].onMissing = 'partial';
    },
    { path: 'spec.sources', message: /^expected a source without `onMissing: partial`, found none/ },
  ],
  [
    'a single source cannot be missing',
    (spec) => (spec.sources[0].onMissing = 'partial'),
    { path: 'spec.sources[0].onMissing', message: /^expected several sources for `onMissing`, found one/ },
  ],
  ['sources may meet by key', (spec) => byKey(spec)],
  [
    'keys and times are tensors of their source',
    (spec) => {
      byKey(spec);
      spec.sources[1].key = 'camara';
      spec.sources[0].time = 'camera';
    },
    {
      path: 'spec.sources[0].time',
      message: /^unknown tensor "camera", expected one of this source: image, taken_at$/,
    },
    { path: 'spec.sources[1].key', message: /^unknown tensor "camara", expected one of/, suggestion: 'camera' },
  ],
  [
    'keys and times are single elements',
    (spec) => {
      byKey(spec);
      spec.sources[0].key = 'image';
      spec.sources[1].time = 'camera';
    },
    {
      path: 'spec.sources[0].key',
      message: /^expected a tensor with one element, a string, integer or boolean, found UINT8 \[-1\]$/,
    },
    {
      path: 'spec.sources[1].time',
      message: /^expected a tensor with one element, an integer or FP64 number, found BYTES/,
    },
  ],
  [
    'all sources have times, or none',
    (spec) => {
      byKey(spec);
      delete spec.sources[0].time;
    },
    { path: 'spec.sources[0].time', message: /^missing field "time", expected it at all sources or none$/ },
  ],
  [
    'a join by key has a window',
    (spec) => {
      byKey(spec);
      delete spec.sourceJoin.windowMs;
    },
    { path: 'spec.sourceJoin.windowMs', message: /^missing field "windowMs"/ },
  ],
  [
    'windows, keys and times are for a join by key',
    (spec) => {
      byKey(spec);
      delete spec.sourceJoin.by;
      spec.sourceJoin.late = 'wait';
      for (const source of spec.sources) delete source.time;
    },
    { path: 'spec.sources[1].key', message: /^expected `sourceJoin.by: key` for a key, found a join by id$/ },
    { path: 'spec.sourceJoin.windowMs', message: /^expected `by: key` next to windowMs/ },
    { path: 'spec.sourceJoin.late', message: /^expected `by: key` next to late/ },
  ],
  [
    'a late part begins a request alone only without a source that all requests need',
    (spec) => {
      byKey(spec);
      spec.sourceJoin.late = 'partial';
    },
    { path: 'spec.sourceJoin.late', message: /^expected a source with `onMissing: partial` for `late: partial`/ },
  ],
  [
    'one of several sources begins requests',
    (spec) => {
      twoSources(spec).latest = { maxAgeMs: 1000 };
      spec.sources[0].latest = { maxAgeMs: 1000 };
    },
    { path: 'spec.sources', message: /^expected a source without `latest`, found none/ },
  ],
  [
    'a single source joins no others',
    (spec) => (spec.sources[0].latest = { maxAgeMs: 1000 }),
    { path: 'spec.sources[0].latest', message: /^expected several sources for `latest`, found one/ },
  ],
  [
    'edges pass on tensors of sources that are always there',
    (spec) => {
      twoSources(spec).onMissing = 'partial';
      passes(spec, 1, [
        { name: 'image', from: 'source.image' },
        { name: 'text', from: 'source.text' },
      ]);
    },
    { path: 'spec.edges[1].inputs[1].from', message: /^unknown tensor "text" of the source, expected image$/ },
  ],
  [
    'tensors are declared in one way',
    (spec) => (spec.sources[0].tensors = [{ name: 'a', datatype: 'FP32', shape: [1] }]),
    { path: 'spec.sources[0].datatype', message: /expected either tensors or datatype, found both/ },
  ],
  [
    'a tensor is declared completely',
    (spec) => delete spec.sources[0].shape,
    { path: 'spec.sources[0].shape', message: /missing field "shape", expected it next to datatype/ },
  ],
];

/** Sets the inputs of an edge. */
const passes = (spec: Loose, edge: number, inputs: readonly object[]) => {
  spec.edges[edge].inputs = inputs;
};
const constant = (datatype: string, shape: readonly number[], ...data: readonly unknown[]) => ({
  name: 'c',
  constant: { datatype, shape, data },
});
const badElements = [
  ['INT8', 200, /^expected a whole number from -128 to 127 as element of INT8, found 200$/],
  ['UINT64', -1, /^expected a whole number from 0 to 9007199254740991 as element of UINT64/],
  ['INT32', 0.5, /^expected a whole number from -2147483648 to 2147483647/],
  ['FP16', 65_505, /^expected a number from -65504 to 65504/],
  ['BOOL', 1, /^expected true or false as element of BOOL/],
  ['BYTES', 1, /^expected text as element of BYTES/],
] as const;

const edgeInputs: Case[] = [
  [
    'an edge passes on each name once',
    (spec) => passes(spec, 1, [{ name: 'box' }, { name: 'box', from: 'label' }]),
    { path: 'spec.edges[1].inputs[1].name', message: /^expected each name once, found "box" again$/ },
  ],
  [
    'an input has one origin',
    (spec) => passes(spec, 1, [{ ...constant('BOOL', [], true), from: 'box' }]),
    { path: 'spec.edges[1].inputs[0].from', message: /^expected either from or constant, found both$/ },
  ],
  [
    'a tensor of the request is a declared one',
    (spec) => passes(spec, 1, [{ name: 'photo', from: 'source.imgae' }]),
    {
      path: 'spec.edges[1].inputs[0].from',
      message: /^unknown tensor "imgae" of the source, expected image$/,
      suggestion: 'source.image',
    },
  ],
  [
    'a tensor of the request is declared',
    (spec) => {
      delete spec.sources;
      passes(spec, 1, [{ name: 'source.image' }]);
    },
    { path: 'spec.edges[1].inputs[0].name', message: /declares its tensor "image", found a source without tensors/ },
  ],
  [
    'a fan-out has a tensor to cut',
    (spec) => passes(spec, 0, [{ name: 'photo', from: 'source.image' }, constant('FP32', [], 1)]),
    { path: 'spec.edges[0].inputs', message: /^expected an output tensor of the stage for the fan-out to cut/ },
  ],
  [
    'edges into one stage give different names',
    (spec) => {
      meeting(spec, [{}, {}]);
      passes(spec, 1, [{ name: 'label' }]);
      passes(spec, 2, [{ name: 'text' }, { name: 'label', from: 'word' }]);
    },
    {
      path: 'spec.edges[2].inputs[1].name',
      message: /no other edge into "count" gives, found "label", which edge 1 gives; rename one$/,
    },
  ],
  [
    'an edge that is always taken gives names of its own',
    (spec) => {
      const inputs = [{ name: 'label' }];
      chainOf(spec, [
        ['detect', 'classify', when('true', 0.3)],
        ['detect', 'count', { inputs }],
        ['classify', 'count', { inputs }],
      ]);
    },
    { path: 'spec.edges[2].inputs[0].name', message: /found "label", which edge 1 gives/ },
  ],
  [
    'alternatives may give the same name',
    (spec) => {
      const inputs = [{ name: 'label' }];
      spec.stages.push({ ...spec.stages[1], name: 'other' });
      chainOf(spec, [
        ['detect', 'classify', when('output.n < 3', 0.3)],
        ['detect', 'other', when('true', 0.7)],
        ['classify', 'count', { inputs }],
        ['other', 'count', { inputs }],
      ]);
    },
  ],
  ...badElements.map(
    ([datatype, element, message]): Case => [
      `elements of ${datatype} fit it`,
      (spec) => passes(spec, 1, [constant(datatype, [1], element)]),
      { path: 'spec.edges[1].inputs[0].constant.data[0]', message },
    ],
  ),
  [
    'a constant has as many elements as its shape',
    (spec) => passes(spec, 1, [constant('FP32', [2, 2], 1, 2)]),
    { path: 'spec.edges[1].inputs[0].constant.data', message: /^expected as many elements as the shape has, 4/ },
  ],
];

const variants: Case[] = [
  [
    'a variant of a model has an accuracy',
    (spec) => delete spec.stages[1].variants[0].accuracy,
    { path: 'spec.stages[1].variants[0].accuracy', message: /^missing field "accuracy"/ },
  ],
  [
    'a variant of a transform has none',
    (spec) => (spec.stages[2].variants[0].accuracy = { value: 1 }),
    { path: 'spec.stages[2].variants[0].accuracy', message: /expected no accuracy on a variant of a transform/ },
  ],
  [
    'a variant without profile has a module',
    (spec) => delete spec.stages[0].variants[1].profile,
    {
      path: 'spec.stages[0].variants[1]',
      message: /expected a module on the stage, or a server or a profile on the variant/,
    },
  ],
  [
    'a synthetic stage has nothing to isolate',
    (spec) => (spec.stages[0].isolation = 'process'),
    { path: 'spec.stages[0].isolation', message: /expected no isolation on a stage without a module/ },
  ],
  [
    'a synthetic stage has nothing that could run too long',
    (spec) => (spec.stages[0].runTimeoutMs = 5),
    { path: 'spec.stages[0].runTimeoutMs', message: /expected no runTimeoutMs on a stage without a module/ },
  ],
  [
    'a module in Python runs in processes',
    (spec) => Object.assign(spec.stages[0], { module: './a.py', isolation: 'thread' }),
    { path: 'spec.stages[0].isolation', message: /expected "process" or nothing: a module in Python/ },
  ],
  [
    'a program for Python needs a module in it',
    (spec) => Object.assign(spec.stages[0], { module: './a.ts', python: 'python3.12' }),
    { path: 'spec.stages[0].python', message: /expected no python on a stage whose module is not in Python/ },
  ],
  [
    'a p99 is not below the mean',
    (spec) => (spec.stages[1].variants[0].profile = [{ cpuCores: 1, batchSize: 1, meanMs: 20, p99Ms: 14 }]),
    { path: 'spec.stages[1].variants[0].profile[0].p99Ms', message: /p99Ms 14 is below the mean of 20 ms/ },
  ],
  [
    'a p99 is not below the mean of the throughput',
    (spec) => (spec.stages[1].variants[0].profile = [{ cpuCores: 1, batchSize: 2, throughputRps: 100, p99Ms: 14 }]),
    { path: 'spec.stages[1].variants[0].profile[0].p99Ms', message: /below the mean of 20 ms/ },
  ],
  [
    'percentiles rise',
    (spec) => (spec.stages[1].variants[0].profile = [{ cpuCores: 1, batchSize: 1, p50Ms: 9, p95Ms: 8, p99Ms: 10 }]),
    { path: 'spec.stages[1].variants[0].profile[0].p95Ms', message: /expected p95Ms of at least p50Ms 9, found 8/ },
  ],
  [
    'a point has a time',
    (spec) => (spec.stages[1].variants[0].profile = [{ cpuCores: 1, batchSize: 1, memoryBytes: 1000 }]),
    { path: 'spec.stages[1].variants[0].profile[0]', message: /give one of meanMs/ },
  ],
  [
    'an allowed batch size is profiled',
    (spec) => (spec.stages[1].bounds = { batchSizes: [16, 32] }),
    {
      path: 'spec.stages[1].bounds.batchSizes',
      message: /^expected a batch size with a profile point \(.*1.*\), found 16, 32$/,
    },
  ],
  [
    'a pinned batch size is profiled',
    (spec) => (spec.stages[1].pins = { maxBatchSize: 3 }),
    { path: 'spec.stages[1].pins.maxBatchSize', message: /found 3$/ },
  ],
  [
    'points differ in cores or batch size',
    (spec) => (spec.stages[1].variants[0].profile[1].batchSize = 1),
    { path: 'spec.stages[1].variants[0].profile[1]', message: /expected one point for cpuCores 1 and batchSize 1/ },
  ],
];

/** Replaces the profile of the first variant by a server. */
const served = (server: object) => (spec: Loose) => {
  const variant = spec.stages[0].variants[0];
  delete variant.profile;
  variant.server = { url: 'http://127.0.0.1:8080', model: 'm', ...server };
};
const started = { url: 'http://127.0.0.1:{port}', command: ['serve', '{port}'] };
const inServer = (field: string) => `spec.stages[0].variants[0].server${field}`;

const servers: Case[] = [
  [
    'a stage has a module or servers',
    (spec) => {
      served({})(spec);
      spec.stages[0].module = './a.ts';
    },
    { path: inServer(''), message: /expected no server on a variant of a stage with a module/ },
  ],
  [
    'an address has a scheme of the protocol',
    served({ url: ['http://a:1', 'ftp://b:2', 'c:3'] }),
    { path: inServer('.url'), message: /expected an address such as .*, found "ftp:\/\/b:2"/ },
    { path: inServer('.url'), message: /found "c:3"/ },
  ],
  [
    'a command has one address with its port',
    served({ ...started, url: ['http://a:{port}', 'http://b:{port}'] }),
    { path: inServer('.url'), message: /expected one address with \{port\}/ },
  ],
  [
    'the address of a command has its port',
    served({ ...started, url: 'http://a:80' }),
    { path: inServer('.url'), message: /expected one address with \{port\}/ },
  ],
  [
    'variables of a command exist',
    served({ ...started, command: ['serve', '{prot}'], environment: { THREADS: '{threads}', HOST: '{host}' } }),
    { path: inServer('.command[1]'), message: /expected one of \{port\}, .*, found \{prot\}/ },
    { path: inServer('.environment.HOST'), message: /found \{host\}/ },
  ],
  [
    'without a command there are no variables and no environment',
    served({ url: 'http://a:{port}', environment: {} }),
    { path: inServer('.url'), message: /expected no variable without a command, found \{port\}/ },
    { path: inServer('.environment'), message: /expected no environment without a command/ },
  ],
  [
    'a command starts one server for each replica',
    served({ ...started, replicas: 'addresses' }),
    { path: inServer('.replicas'), message: /expected no replicas with a command/ },
  ],
  [
    'replicas at addresses need addresses without a certificate, one variant and no pin',
    (spec) => {
      served({ url: ['http://a:1', 'grpcs://b:2'], replicas: 'addresses' })(spec);
      const [stage] = spec.stages;
      stage.variants = [stage.variants[0], { ...stage.variants[0], name: 'other' }];
      stage.pins = { replicas: 2 };
    },
    { path: inServer('.replicas'), message: /expected addresses with http: or grpc:.*, found "grpcs:\/\/b:2"/ },
    { path: inServer('.replicas'), message: /expected one variant/ },
    { path: inServer('.replicas'), message: /expected no replicas in pins/ },
    { path: 'spec.stages[0].variants[1].server.replicas', message: /found "grpcs:\/\/b:2"/ },
    { path: 'spec.stages[0].variants[1].server.replicas', message: /expected one variant/ },
    { path: 'spec.stages[0].variants[1].server.replicas', message: /expected no replicas in pins/ },
  ],
  [
    'a stage of servers has no code to isolate',
    (spec) => {
      served({})(spec);
      spec.stages[0].isolation = 'process';
    },
    { path: 'spec.stages[0].isolation', message: /expected no isolation on a stage without a module$/ },
  ],
];

const bounds: Case[] = [
  [
    'most replicas are not fewer than the fewest',
    (spec) => (spec.stages[0].bounds = { replicas: { min: 4, max: 2 } }),
    { path: 'spec.stages[0].bounds.replicas.max', message: /found min 4 and max 2/ },
  ],
  [
    'the fewest replicas are not above the default of the most',
    (spec) => (spec.stages[0].bounds = { replicas: { min: 65 } }),
    { path: 'spec.stages[0].bounds.replicas.min', message: /found min 65 and max 64/ },
  ],
  [
    'pinned replicas lie within bounds',
    (spec) => Object.assign(spec.stages[0], { bounds: { replicas: { max: 4 } }, pins: { replicas: 5 } }),
    { path: 'spec.stages[0].pins.replicas', message: /expected a number from 1 to 4 as in bounds, found 5/ },
  ],
  [
    'a pinned batch size is allowed',
    (spec) => Object.assign(spec.stages[0], { bounds: { batchSizes: [1, 4] }, pins: { maxBatchSize: 2 } }),
    {
      path: 'spec.stages[0].pins.maxBatchSize',
      message: /expected one of the batch sizes in bounds \(1, 4\), found 2/,
    },
  ],
  [
    'bounds leave a core count to every variant',
    (spec) => (spec.stages[1].bounds = { cpuCores: [2] }),
    { path: 'spec.stages[1].variants[0]', message: /that bounds.cpuCores \(2\) allows, found 1/ },
  ],
  [
    'pinned cores are offered',
    (spec) => (spec.stages[0].pins = { cpuCores: 2 }),
    { path: 'spec.stages[0].pins.cpuCores', message: /that the variants and bounds allow \(1\), found 2/ },
  ],
];

const combination = (variants: object, rest: object = {}) => ({ variants, accuracy: 0.5, ...rest });
const table: Case[] = [
  [
    'an interval is ordered',
    (spec) => (spec.accuracyTable = { combinations: [combination({ detect: 'small' }, { confidence95: [0.6, 0.4] })] }),
    { path: 'spec.accuracyTable.combinations[0].confidence95', message: /expected \[lower, upper\]/ },
  ],
  [
    'a combination tells the variant of every stage with a choice',
    (spec) => (spec.accuracyTable = { combinations: [combination({ classify: 'mlp' })] }),
    { path: 'spec.accuracyTable.combinations[0].variants', message: /found none of detect/ },
  ],
  [
    'a combination stands once',
    (spec) =>
      (spec.accuracyTable = {
        combinations: [
          combination({ detect: 'small', classify: 'mlp' }),
          combination({ classify: 'mlp', detect: 'small' }),
        ],
      }),
    { path: 'spec.accuracyTable.combinations[1].variants', message: /found that of entry 0 again/ },
  ],
];

const when = (condition: string, probability: number | Record<string, number>) => ({
  when: { condition, probability },
});
const QUORUM = { join: { quorum: 2 } };
const ANY = { join: 'any' };

/** Three stages: two edges meet in `count`. The joint accuracy is measured. */
const meeting = (spec: Loose, [left, right]: readonly [object, object]) => {
  chainOf(spec, [
    ['detect', 'classify'],
    ['detect', 'count', left],
    ['classify', 'count', right],
  ]);
  spec.evaluation = { module: './evaluate.ts', data: './data' };
};

/** The classes of two stages behind `detect` are combined. */
const combined = (spec: Loose, combine: object, edges: readonly (readonly [string, string, object?])[] = []) => {
  const again = { ...spec.stages[1], name: 'again' };
  spec.stages = [spec.stages[0], spec.stages[1], again, { name: 'vote', combine: { tensor: 'label', ...combine } }];
  chainOf(spec, [
    ['detect', 'classify'],
    ['detect', 'again'],
    ...(edges.length > 0
      ? edges
      : ([
          ['classify', 'vote'],
          ['again', 'vote'],
        ] as const)),
  ]);
  spec.outputs = [{ from: 'vote' }];
  spec.evaluation = { module: './evaluate.ts', data: './data' };
};
const combine = 'spec.stages[3].combine';
const ofItems = (spec: Loose, how: object) => {
  spec.stages[2] = { name: 'count', combine: { tensor: 'label', ...how } };
  spec.evaluation = { module: './evaluate.ts', data: './data' };
};

const combines: Case[] = [
  [
    'a stage has variants or combines',
    (spec) => delete spec.stages[2].variants,
    { path: 'spec.stages[2].variants', message: /missing field "variants".*or combine/ },
  ],
  [
    'a combine stage has neither code nor replicas',
    (spec) => {
      combined(spec, { method: 'vote' });
      Object.assign(spec.stages[3], { module: './vote.ts', variants: [{ name: 'v' }], pins: { replicas: 2 } });
    },
    { path: 'spec.stages[3].module', message: /expected no module on a stage with combine/ },
    { path: 'spec.stages[3].variants', message: /expected no variants on a stage with combine/ },
    { path: 'spec.stages[3].pins.replicas', message: /expected no pins on a stage with combine/ },
  ],
  [
    'an edge from a combine stage has one share',
    (spec) => {
      combined(spec, { method: 'vote' }, [
        ['classify', 'vote'],
        ['again', 'vote'],
        ['vote', 'last', when('true', { fast: 0.5 })],
      ]);
      spec.stages.push({ ...spec.stages[1], name: 'last' });
      spec.outputs = [{ from: 'vote' }, { from: 'last' }];
    },
    { path: 'spec.edges[4].when.probability', message: /expected one number, as the combine stage "vote"/ },
  ],
  [
    'a method is known',
    (spec) => combined(spec, { method: 'votes' }),
    { path: `${combine}.method`, message: /expected.*vote.*found the text "votes"/, suggestion: 'vote' },
  ],
  [
    'a method has its own fields',
    (spec) => combined(spec, { method: 'weighted', atLeast: 0.5 }),
    { path: `${combine}.weights`, message: /missing field "weights", expected it for weighted/ },
    { path: `${combine}.atLeast`, message: /no atLeast for weighted: it is for first-confident/ },
  ],
  [
    'a confidence has a name and a limit',
    (spec) => combined(spec, { method: 'first-confident' }),
    { path: `${combine}.atLeast`, message: /missing field "atLeast"/ },
    { path: `${combine}.confidence`, message: /missing field "confidence"/ },
  ],
  [
    'the confidence is not the result',
    (spec) => combined(spec, { method: 'first-confident', confidence: 'label', atLeast: 0.5 }),
    { path: `${combine}.confidence`, message: /expected another tensor than the result, found "label"/ },
  ],
  [
    'weights name members',
    (spec) => combined(spec, { method: 'weighted', weights: { classify: 1, agian: 2 } }),
    { path: `${combine}.weights`, message: /a weight of every member, found none of again/ },
    {
      path: `${combine}.weights.agian`,
      message: /unknown member "agian", expected one of classify, again/,
      suggestion: 'again',
    },
  ],
  [
    'items have no weights',
    (spec) => ofItems(spec, { method: 'weighted', weights: { classify: 1 } }),
    { path: 'spec.stages[2].combine.weights', message: /items of a join have no weights/ },
  ],
  [
    'a member is optional where the answer can do without it',
    (spec) => {
      combined(spec, { method: 'vote' });
      for (const stage of [0, 1]) spec.stages[stage].optional = true;
    },
    { path: 'spec.stages[0].optional', message: /joins that can do without "detect" behind it.*needs its answer/ },
  ],
  [
    'a member behind a condition does not replace an optional one that always answers',
    (spec) => {
      combined(spec, { method: 'vote' });
      spec.edges[1].when = { condition: 'output.rare', probability: 0.3 };
      for (const stage of [1, 2]) spec.stages[stage].optional = true;
    },
    { path: 'spec.stages[1].optional', message: /with another part whenever there is that of "classify"/ },
  ],
  [
    'a concatenation needs its members',
    (spec) => {
      combined(spec, { method: 'concatenation' });
      spec.stages[1].optional = true;
    },
    { path: 'spec.stages[1].optional', message: /joins that can do without "classify"/ },
  ],
  [
    'the members of a combine stage are optional, not the stage',
    (spec) => {
      combined(spec, { method: 'vote' });
      spec.stages[3].optional = true;
    },
    { path: 'spec.stages[3].optional', message: /no optional on a stage with combine/ },
  ],
  [
    'measurements say of an optional stage whether it ran',
    (spec) => {
      combined(spec, { method: 'vote' });
      spec.stages[1].optional = true;
      spec.stages[1].variants[0].name = 'omitted';
      spec.accuracyTable = { combinations: [{ variants: { detect: 'small' }, accuracy: 0.5 }] };
    },
    { path: 'spec.stages[1].variants[0].name', message: /expected another name.*"omitted" stands for/ },
    { path: 'spec.accuracyTable.combinations[0].variants', message: /several or is optional, found none of classify/ },
  ],
  [
    'a source is no member',
    (spec) => {
      combined(spec, { method: 'vote' });
      spec.sources[0].to = ['detect', 'vote'];
    },
    { path: combine, message: /expected edges from members into "vote", found a source/ },
  ],
  [
    'a concatenation needs every member',
    (spec) =>
      combined(spec, { method: 'concatenation' }, [
        ['classify', 'vote', { onMissing: 'partial' }],
        ['again', 'vote'],
      ]),
    { path: 'spec.edges[2].onMissing', message: /every member at a concatenation/ },
  ],
  [
    'an edge passes on what is combined',
    (spec) =>
      combined(spec, { method: 'vote' }, [
        ['classify', 'vote', { inputs: [{ name: 'labels' }] }],
        ['again', 'vote'],
      ]),
    { path: 'spec.edges[2].inputs', message: /the tensor "label", which the stage combines, found none/ },
  ],
  [
    'an output lists tensors of the combined answer',
    (spec) => {
      combined(spec, { method: 'mean', output: 'score' });
      spec.outputs[0].tensors = ['label'];
    },
    { path: 'spec.outputs[0].tensors[0]', message: /a tensor of the combined answer \(score\), found "label"/ },
  ],
  [
    'the accuracy of an ensemble can be known',
    (spec) => {
      combined(spec, { method: 'vote' });
      delete spec.evaluation;
    },
    { path: `${combine}.method`, message: /of a combined answer is not the product.*expected an accuracyTable/ },
  ],
  [
    'a combine stage has no variant to measure',
    (spec) => {
      combined(spec, { method: 'vote' });
      spec.accuracyTable = { combinations: [{ variants: { detect: 'small', vote: 'x' }, accuracy: 0.5 }] };
    },
    { path: 'spec.accuracyTable.combinations[0].variants.vote', message: /unknown stage "vote"/ },
  ],
];

const branching: Case[] = [
  [
    'a condition is CEL',
    (spec) =>
      chainOf(spec, [
        ['detect', 'classify', when('output.confidence <', 0.3)],
        ['classify', 'count'],
      ]),
    { path: 'spec.edges[0].when.condition', message: /expected a CEL expression.*Unexpected token: EOF/ },
  ],
  [
    'a condition knows output and shape only',
    (spec) =>
      chainOf(spec, [
        ['detect', 'classify', when('confidence < 0.8', 0.3)],
        ['classify', 'count'],
      ]),
    { path: 'spec.edges[0].when.condition', message: /Unknown variable: confidence/ },
  ],
  [
    'a condition is true or false',
    (spec) =>
      chainOf(spec, [
        ['detect', 'classify', when('1 + 1', 0.3)],
        ['classify', 'count'],
      ]),
    { path: 'spec.edges[0].when.condition', message: /true or false, found one of type int/ },
  ],
  [
    'a probability is a fraction',
    (spec) =>
      chainOf(spec, [
        ['detect', 'classify', when('true', 30)],
        ['classify', 'count'],
      ]),
    { path: 'spec.edges[0].when.probability', message: /from 0 to 1 or a mapping, found 30/, suggestion: '0.3' },
  ],
  [
    'the branches of a stage are taken with at most 1 together',
    (spec) =>
      chainOf(spec, [
        ['detect', 'classify', when('true', 0.7)],
        ['detect', 'count', when('true', 0.4)],
      ]),
    { path: 'spec.edges[1].when.probability', message: /at most 1 together.*leave "detect".*found 1.1/ },
  ],
  [
    'for each variant, the branches of a stage are taken with at most 1 together',
    (spec) =>
      chainOf(spec, [
        ['detect', 'classify', when('true', { small: 0.7, large: 0.2 })],
        ['detect', 'count', when('true', 0.4)],
        ['classify', 'count'],
      ]),
    { path: 'spec.edges[1].when.probability', message: /at most 1 together.*leave "detect".*found 1.1/ },
  ],
  [
    'shares by variant name variants of the stage before the edge',
    (spec) =>
      chainOf(spec, [
        ['detect', 'classify', when('true', { small: 0.7, large: 0.2, lagre: 0.2 })],
        ['classify', 'count'],
      ]),
    { path: 'spec.edges[0].when.probability.lagre', message: /unknown variant "lagre"/, suggestion: 'large' },
  ],
  [
    'shares by variant name all variants of the stage before the edge',
    (spec) => (spec.edges[0].fanOut.expected = { small: 2 }),
    { path: 'spec.edges[0].fanOut.expected', message: /each variant of "detect", found none for large/ },
  ],
  [
    'a distribution belongs to one expected number',
    (spec) => (spec.edges[0].fanOut = { expected: { small: 1, large: 2 }, distribution: [0, 1] }),
    { path: 'spec.edges[0].fanOut.distribution', message: /no distribution/ },
  ],
  [
    'a join is one of three',
    (spec) => (spec.edges[1].join = 'some'),
    { path: 'spec.edges[1].join', message: /all, any or a mapping, found the text "some"/ },
  ],
  [
    'edges that meet in an early join all say the same',
    (spec) => meeting(spec, [ANY, QUORUM]),
    {
      path: 'spec.edges[2].join',
      message: /the join any on every edge into "count" as on edge 1, found { quorum: 2 }/,
    },
  ],
  [
    'no plain edge meets an early join',
    (spec) => meeting(spec, [{}, QUORUM]),
    {
      path: 'spec.edges[1].join',
      message: /the join { quorum: 2 } on every edge into "count" as on edge 2, found none/,
    },
  ],
  [
    'a quorum is not larger than the edges',
    (spec) => meeting(spec, [{ join: { quorum: 3 } }, { join: { quorum: 3 } }]),
    { path: 'spec.edges[1].join.quorum', message: /at most 2.*edges into "count", found 3/, suggestion: '2' },
  ],
  [
    'no source enters where some edges are waited for',
    (spec) => {
      meeting(spec, [ANY, ANY]);
      spec.sources[0].to = ['detect', 'count'];
    },
    { path: 'spec.edges[1].join', message: /no source to enter "count"/ },
  ],
  [
    'any on the only edge into a stage closes a fan-out',
    (spec) =>
      chainOf(spec, [
        ['detect', 'classify'],
        ['classify', 'count', ANY],
      ]),
    { path: 'spec.edges[1].join', message: /expected a fan-out before the join/ },
  ],
  [
    'the accuracy behind an early join can be known',
    (spec) => {
      meeting(spec, [ANY, ANY]);
      delete spec.evaluation;
    },
    { path: 'spec.edges[1].join', message: /not the product.*expected an accuracyTable/ },
  ],
  [
    'the accuracy of a cascade can be known',
    (spec) => {
      chainOf(spec, [
        ['detect', 'classify', when('true', 0.3)],
        ['detect', 'count'],
      ]);
      spec.outputs = [{ from: 'count', unless: 'classify' }, { from: 'classify' }];
    },
    { path: 'spec.outputs[0].unless', message: /accuracy of a cascade is not the product/ },
  ],
  [
    'pins leave a measured combination of a cascade',
    (spec) => {
      chainOf(spec, [
        ['detect', 'classify', when('true', 0.3)],
        ['detect', 'count'],
      ]);
      spec.outputs = [{ from: 'count', unless: 'classify' }, { from: 'classify' }];
      const [one, other] = spec.stages[0].variants;
      const classify = spec.stages[1].variants[0].name;
      spec.accuracyTable = { combinations: [{ variants: { detect: one.name, classify }, accuracy: 0.5 }] };
      spec.stages[0].pins = { variant: other.name };
    },
    { path: 'spec.accuracyTable.combinations', message: /expected a combination with the pinned variants \(detect: / },
  ],
  [
    'unless names another output',
    (spec) => {
      meeting(spec, [{}, {}]);
      spec.outputs = [{ from: 'count', unless: 'classify' }];
    },
    { path: 'spec.outputs[0].unless', message: /expected the stage of another output, found "classify"/ },
  ],
  [
    'unless names a known stage',
    (spec) => {
      meeting(spec, [{}, {}]);
      spec.outputs = [{ from: 'count', unless: 'clasify' }, { from: 'classify' }];
    },
    { path: 'spec.outputs[0].unless', message: /unknown stage "clasify"/, suggestion: 'classify' },
  ],
  [
    'a stage answers once',
    (spec) => spec.outputs.push({ from: 'count' }),
    { path: 'spec.outputs[1].from', message: /each stage once.*"count", which entry 0 has/ },
  ],
  [
    'a type is of a tensor of its output, and only one',
    (spec) => {
      const types = ['n', 'm', 'n'].map((name) => ({ name, datatype: 'FP32', shape: [] }));
      spec.outputs = [{ from: 'count', tensors: ['n'], types }];
    },
    { path: 'spec.outputs[0].types[1].name', message: /expected one of the tensors of this output, found "m"/ },
    { path: 'spec.outputs[0].types[2].name', message: /each tensor once, found "n" again/ },
  ],
];

const shadow: Case[] = [
  [
    'a shadow is a variant of its stage',
    (spec) => (spec.stages[0].shadow = { variant: 'smal' }),
    { path: 'spec.stages[0].shadow.variant', message: /unknown variant "smal"/, suggestion: 'small' },
  ],
  [
    'a shadow compares two variants',
    (spec) => (spec.stages[1].shadow = { variant: spec.stages[1].variants[0].name }),
    { path: 'spec.stages[1].shadow', message: /expected a stage with several variants/ },
  ],
  [
    'a shadow has cores of its variant',
    (spec) => (spec.stages[0].shadow = { variant: 'small', cpuCores: 7 }),
    {
      path: 'spec.stages[0].shadow.cpuCores',
      message: /expected a number of cores of the variant small: [\d., ]+, found 7/,
    },
  ],
  [
    'options of a comparison need a metric that reads them',
    (spec) => (spec.stages[0].shadow = { variant: 'small', iou: 0.4, output: 'boxes' }),
    { path: 'spec.stages[0].shadow.iou', message: /expected no iou with the metric accuracy; box-f1 reads it/ },
  ],
  [
    'a comparison of numbers needs a scale',
    (spec) => (spec.stages[0].shadow = { variant: 'small', metric: 'rmse' }),
    { path: 'spec.stages[0].shadow', message: /missing field "scale"/ },
  ],
  [
    'the budget is more than the shadows need',
    (spec) => {
      spec.stages[0].shadow = { variant: 'small' };
      spec.budget = { cpuCores: 0.5 };
    },
    { path: 'spec.budget.cpuCores', message: /expected more than [\d.]+, the cores of the shadows, .* found 0\.5/ },
  ],
];

const evaluation: Case[] = [
  [
    'an evaluation scores the answers',
    (spec) => (spec.evaluation = { data: './data', output: 'label' }),
    { path: 'spec.evaluation', message: /missing field "metric" or "module"/ },
    { path: 'spec.evaluation.output', message: /expected no output without a metric/ },
  ],
  [
    'options belong to the metric',
    (spec) =>
      (spec.evaluation = { data: './data', metric: 'accuracy', output: 'label', classes: ['a'], k: 3, iou: 0.4 }),
    { path: 'spec.evaluation.k', message: /expected no k with the metric accuracy; top-k reads it/ },
    { path: 'spec.evaluation.iou', message: /box-f1 reads it/ },
  ],
  [
    'an option needs a metric',
    (spec) => (spec.evaluation = { data: './data', module: './evaluate.ts', scale: 2 }),
    { path: 'spec.evaluation.scale', message: /expected no scale with no metric; rmse, mae reads it/ },
  ],
  [
    'F1 counts one of the classes',
    (spec) => (spec.evaluation = { data: './data', metric: 'f1', classes: ['a', 'b'], positive: '2' }),
    { path: 'spec.evaluation.positive', message: /expected as positive a name in classes .* found "2"/ },
  ],
  [
    'F1 counts class 1 by default',
    (spec) => (spec.evaluation = { data: './data', metric: 'f1', classes: ['a'] }),
    { path: 'spec.evaluation', message: /found "1"/ },
  ],
  [
    'errors have a scale',
    (spec) => (spec.evaluation = { data: './data', metric: 'mae' }),
    { path: 'spec.evaluation', message: /missing field "scale".*with the metric mae/ },
  ],
];

const rules = [
  ...names,
  ...thresholds,
  ...quorums,
  ...references,
  ...graph,
  ...combines,
  ...branching,
  ...edgeInputs,
  ...targets,
  ...variants,
  ...servers,
  ...bounds,
  ...table,
  ...evaluation,
  ...shadow,
];

const validText = `apiVersion: equipoise.dev/v1alpha1
kind: InferencePipeline
metadata: { name: two }
spec:
  slo: { latencyMs: 400 }
  stages:
    - { name: a, kind: transform, module: ./a.ts, variants: [{ name: only }] }
    - { name: b, kind: transform, module: ./b.ts, variants: [{ name: only }] }
  edges: [{ from: a, to: b, PLACE }]
`;

test.each(rules.map(([rule, change, ...expected]) => ({ rule, change, expected })))('$rule', ({ change, expected }) => {
  const found = problemsOf(parseChanged(change));
  expect(found.map(({ path, message, suggestion }) => ({ path, message, suggestion }))).toEqual(
    expected.map(({ path, message, suggestion }) => ({ path, message: expect.stringMatching(message), suggestion })),
  );
});

test.each<readonly [string, (spec: Loose) => void, Expected]>([
  [
    'a floor is used',
    (spec) => (spec.accuracyFloor = 0.5),
    { path: 'spec.accuracyFloor', message: /accuracyFloor has no effect/ },
  ],
  [
    'points are used',
    (spec) => spec.stages[1].variants[0].profile.push({ cpuCores: 2, batchSize: 1, meanMs: 9 }),
    {
      path: 'spec.stages[1].variants[0].profile[2].cpuCores',
      message: /expected one of the core counts in resources \(1\), found 2/,
    },
  ],
  [
    'core counts have points',
    (spec) => (spec.stages[1].variants[0].resources = { cpuCores: [0.5, 1, 2] }),
    { path: 'spec.stages[1].variants[0].resources.cpuCores', message: /no profile point for 2 cores/ },
  ],
  [
    'an output is certain to run',
    (spec) =>
      chainOf(spec, [
        ['detect', 'classify', { ...FAN_OUT, ...when('true', 0.3) }],
        ['classify', 'count', JOIN],
      ]),
    { path: 'spec.outputs', message: /for which "count" is skipped may be answered without tensors/ },
  ],
  [
    'a fan-out gives no more items than may wait',
    (spec) => {
      spec.edges[0].fanOut = { expected: 8.5 };
      spec.admission = { maxQueueLength: 8 };
    },
    { path: 'spec.edges[0].fanOut.expected', message: /at most 8, which is admission.maxQueueLength, found 8.5/ },
  ],
  [
    'a p99 is near the mean',
    (spec) => (spec.stages[1].variants[0].profile = [{ cpuCores: 1, batchSize: 1, meanMs: 1, p99Ms: 20 }]),
    { path: 'spec.stages[1].variants[0].profile[0].p99Ms', message: /20.0 times the mean/ },
  ],
])('%s, or there is a warning', (_rule, change, expected) => {
  const result = parseChanged(change);
  expect(result).toMatchObject({
    kind: 'valid',
    warnings: [{ path: expected.path, message: expect.stringMatching(expected.message) }],
  });
});

test.each<readonly [string, (spec: Loose) => void]>([
  [
    'a cascade of fan-outs closed one after another',
    (spec) => {
      spec.stages.push({ ...spec.stages[2], name: 'inner' }, { ...spec.stages[2], name: 'outer' });
      spec.outputs[0].from = 'outer';
      chainOf(spec, [
        ['detect', 'classify', FAN_OUT],
        ['classify', 'count', FAN_OUT],
        ['count', 'inner', JOIN],
        ['inner', 'outer', JOIN],
      ]);
    },
  ],
  [
    'two branches inside one fan-out',
    (spec) => {
      spec.stages.push({ ...spec.stages[2], name: 'left' }, { ...spec.stages[2], name: 'right' });
      chainOf(spec, [
        ['detect', 'classify', FAN_OUT],
        ['classify', 'left'],
        ['classify', 'right'],
        ['left', 'count', JOIN],
        ['right', 'count', JOIN],
      ]);
    },
  ],
  [
    'a hedge inside a fan-out',
    (spec) => {
      spec.stages.push({ ...spec.stages[2], name: 'left' }, { ...spec.stages[2], name: 'right' });
      spec.stages.push({ ...spec.stages[2], name: 'first' });
      chainOf(spec, [
        ['detect', 'classify', FAN_OUT],
        ['classify', 'left', when('output.score < 0.5', 0.2)],
        ['classify', 'right'],
        ['left', 'first', ANY],
        ['right', 'first', ANY],
        ['first', 'count', QUORUM],
      ]);
      spec.accuracyTable = { combinations: [{ variants: { detect: 'small' }, accuracy: 0.5 }] };
    },
  ],
  [
    'items that are filtered before their join',
    (spec) => {
      spec.stages.push({ ...spec.stages[2], name: 'last' });
      spec.outputs[0].from = 'last';
      chainOf(spec, [
        ['detect', 'classify', FAN_OUT],
        ['classify', 'count', when('true', 0.3)],
        ['count', 'last', JOIN],
      ]);
    },
  ],
  [
    'a distribution of items, rounded',
    (spec) => (spec.edges[0].fanOut = { expected: 2.3, distribution: [0, 0.2, 0.29, 0.5] }),
  ],
  ['priorities of its own', (spec) => (spec.admission = { priorities: { shares: [0, 0.1, 0.3, 0.6], default: 4 } })],
  [
    'servers that run and servers that are started',
    (spec) => {
      served({ url: ['http://a:1', 'grpcs://b:2/'], batching: 'single' })(spec);
      spec.stages[0].variants[1].server = { ...started, model: 'm', environment: { PORT: '{port2}' } };
      spec.stages[0].runTimeoutMs = 500;
    },
  ],
  ['a stage that answers in the middle', (spec) => spec.outputs.push({ from: 'detect' })],
  [
    'a concatenation, whose accuracy is a product',
    (spec) => {
      combined(spec, { method: 'concatenation' });
      delete spec.evaluation;
    },
  ],
  [
    'optional members, measured with and without',
    (spec) => {
      combined(spec, { method: 'vote' });
      spec.stages[1].optional = true;
      const of = (classify: string) => ({ variants: { detect: 'small', classify }, accuracy: 0.5 });
      spec.accuracyTable = { combinations: [of('mlp'), of('omitted')] };
    },
  ],
  [
    'a combine stage with one member, which is a warning',
    (spec) =>
      combined(spec, { method: 'vote' }, [
        ['classify', 'vote'],
        ['again', 'classify'],
      ]),
  ],
  [
    'members whose edges pass on the tensor that is combined',
    (spec) => {
      const inputs = [{ name: 'label' }];
      combined(spec, { method: 'concatenation' }, [
        ['classify', 'vote', { inputs }],
        ['again', 'vote', { inputs }],
      ]);
    },
  ],
  ['a concatenation of items', (spec) => ofItems(spec, { method: 'concatenation' })],
  [
    'core counts that are multiples of 0.05 up to rounding',
    (spec) => {
      spec.stages[1].variants[0].resources = { cpuCores: [0.1 + 0.2, 1] };
    },
  ],
])('%s: nothing is wrong', (_what, change) => {
  expect(problemsOf(parseChanged(change))).toEqual([]);
});

test('a problem inside a condition is told at its line and column', () => {
  const text = validText.replace('PLACE', 'when: { condition: "true && outptu.x", probability: 0.5 }');
  expect(problemsOf(parse(text))).toMatchObject([
    { line: 9, column: 57, message: expect.stringMatching(/Unknown variable: outptu$/) },
  ]);
  const plain = validText.replace('PLACE', 'when: { condition: output.x >, probability: 0.5 }');
  expect(problemsOf(parse(plain))).toMatchObject([{ line: 9, column: 58 }]);
});

test('semantic problems are told beside schema problems, and none twice', () => {
  const found = problemsOf(
    parseChanged((spec) => {
      spec.slo.latencyMs = '400ms';
      spec.stages[0].variants[0].accuracy = 'good';
      spec.stages[1].modul = './classify.ts';
      delete spec.stages[1].variants[0].profile;
      spec.stages[2].variants[0].profile = [{ cpuCores: 1, batchSize: 0, meanMs: 20, p99Ms: 14 }];
      spec.edges[1].to = 'cuont';
      spec.edges[0].fanOut = { expected: 0 };
    }),
  );
  expect(found.map(({ path, suggestion }) => [path, suggestion])).toEqual([
    ['spec.slo.latencyMs', '400'],
    ['spec.stages[0].variants[0].accuracy', undefined],
    ['spec.stages[1].modul', 'module'],
    ['spec.stages[2].variants[0].profile[0].batchSize', undefined],
    ['spec.edges[0].fanOut.expected', undefined],
    ['spec.edges[1].to', 'count'],
  ]);
});
