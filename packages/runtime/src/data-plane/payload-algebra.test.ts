import { type ServingEdge, servingGraph } from '@equipoise/core/graph';
import { type EdgeSpec, type PipelineSpec, stageId, type Tensor, type TensorMap } from '@equipoise/core/model';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  copyTensors,
  declaredTensors,
  fanOutTensors,
  inputDigest,
  joinTensors,
  mergeTensors,
  pickTensors,
  responseTensors,
  sourceTensors,
  tensorAlgebra,
} from './payload-algebra.js';
import { edge, servingSpec } from './serving-bench.test-support.js';

const fp32 = (shape: number[], values: number[]): Tensor => ({
  datatype: 'FP32',
  shape,
  data: Float32Array.from(values),
});

describe('the digest of an input', () => {
  const text = (...data: readonly string[]): Tensor => ({ datatype: 'BYTES', shape: [data.length], data });

  it('is the same for the same tensors in any order of names and in any buffer', () => {
    const long = Float32Array.from([9, 1, 2]);
    const view: Tensor = { datatype: 'FP32', shape: [2], data: long.subarray(1) };
    expect(inputDigest({ y: text('a'), x: view })).toBe(inputDigest({ x: fp32([2], [1, 2]), y: text('a') }));
    expect(inputDigest({})).toMatch(/^[0-9a-f]{32}$/);
  });

  it('differs by name, type, shape and every element', () => {
    const bytes: Tensor = { datatype: 'BYTES', shape: [2], data: [new Uint8Array([97]), new Uint8Array([98, 99])] };
    const inputs: readonly TensorMap[] = [
      ...[{ x: fp32([2], [1, 2]) }, { y: fp32([2], [1, 2]) }, { x: fp32([1, 2], [1, 2]) }, { x: fp32([2], [1, 3]) }],
      ...[{ x: text('a', 'bc') }, { x: text('ab', 'c') }, { x: text('abc') }],
      { x: { datatype: 'INT32', shape: [2], data: Int32Array.from([1, 2]) } },
    ];
    expect(new Set(inputs.map(inputDigest)).size).toBe(inputs.length);
    expect(inputDigest({ x: bytes })).toBe(inputDigest({ x: text('a', 'bc') }));
  });
});

describe('the rule of a combine stage', () => {
  type Rule = NonNullable<PipelineSpec['combines']>[number];
  const bytes = (...data: readonly (string | Uint8Array)[]): Tensor =>
    ({ datatype: 'BYTES', shape: [data.length], data }) as Tensor;
  const long = (...data: readonly bigint[]): Tensor => ({
    datatype: 'INT64',
    shape: [data.length],
    data: BigInt64Array.from(data),
  });
  const half = (...data: readonly number[]): Tensor => ({
    datatype: 'FP16',
    shape: [data.length],
    data: Uint16Array.from(data),
  });
  const scalar = (value: number) => fp32([], [value]);
  const members = ['a', 'b', 'c', 'd'];
  /** Combines tensors `x`, in order of members; undefined for a missing one. */
  const combine = (rule: Partial<Rule>, ...parts: readonly (TensorMap | Tensor | undefined)[]): TensorMap => {
    const of = { id: stageId('m'), method: 'vote', tensor: 'x', output: 'y', ...rule } as const;
    const edges = members.slice(0, parts.length).map((member) => edge(member, 'm'));
    const spec = servingSpec(members, { combines: [of], edges, outputs: [{ from: stageId('m') }] });
    const inputs = parts.map((part) => (part !== undefined && 'datatype' in part ? { x: part as Tensor } : part));
    return tensorAlgebra(servingGraph(spec)).merge(members.length, inputs as readonly TensorMap[], { source: {} });
  };

  it.each<[string, Partial<Rule>, readonly (TensorMap | Tensor | undefined)[], Tensor]>([
    ['vote: the most frequent value', { method: 'vote' }, [bytes('p'), bytes('q'), bytes('q')], bytes('q')],
    ['vote: of a tie the earlier member', { method: 'vote' }, [bytes('p'), bytes('q')], bytes('p')],
    ['vote: a tie of two pairs', { method: 'vote' }, [bytes('q'), bytes('p'), bytes('p'), bytes('q')], bytes('q')],
    ['vote: element by element', { method: 'vote' }, [long(1n, 2n), long(3n, 2n), long(3n, 4n)], long(3n, 2n)],
    [
      'vote: of byte strings',
      { method: 'vote' },
      [bytes(Uint8Array.of(1)), bytes(Uint8Array.of(2)), bytes(Uint8Array.of(2))],
      bytes(Uint8Array.of(2)),
    ],
    [
      'vote: of texts, as strings or as bytes',
      { method: 'vote' },
      [bytes('spam', 'é'), bytes('ham', Uint8Array.of(0xe9)), bytes(Buffer.from('ham'), Buffer.from('é'))],
      bytes('ham', 'é'),
    ],
    ['vote: zeros of both signs are equal', { method: 'vote' }, [scalar(1), scalar(0), scalar(-0)], scalar(0)],
    [
      'vote: of FP16, too, and NaNs are equal',
      { method: 'vote' },
      [half(0x3c00, 0x3c00), half(0x8000, 0x7e00), half(0, 0xfe01)],
      half(0x8000, 0x7e00),
    ],
    ['vote: without a missing member', { method: 'vote' }, [undefined, bytes('q'), bytes('p')], bytes('q')],
    ['mean', { method: 'mean' }, [fp32([2], [1, 2]), fp32([2], [3, 4])], fp32([2], [2, 3])],
    [
      'mean: of 64-bit numbers in FP64',
      { method: 'mean' },
      [long(1n), long(2n)],
      { datatype: 'FP64', shape: [1], data: Float64Array.of(1.5) },
    ],
    [
      'weighted: the weights of the members that came',
      { method: 'weighted', weights: { [stageId('a')]: 100, [stageId('b')]: 3, [stageId('c')]: 1 } },
      [undefined, scalar(1), scalar(5)],
      scalar(2),
    ],
    ['median: of an odd number', { method: 'median' }, [scalar(9), scalar(-1), scalar(2)], scalar(2)],
    ['median: of an even number', { method: 'median' }, [scalar(9), scalar(-1), scalar(2), scalar(3)], scalar(2.5)],
    [
      'median: NaN if a member gave NaN',
      { method: 'median' },
      [scalar(1), scalar(Number.NaN), scalar(1)],
      scalar(Number.NaN),
    ],
    [
      'concatenation: along the first dimension',
      { method: 'concatenation' },
      [fp32([1, 2], [1, 2]), fp32([2, 2], [3, 4, 5, 6])],
      fp32([3, 2], [1, 2, 3, 4, 5, 6]),
    ],
    ['concatenation: of scalars', { method: 'concatenation' }, [scalar(1), scalar(2)], fp32([2], [1, 2])],
  ])('%s', (_, rule, parts, result) => {
    expect(combine(rule, ...parts)).toEqual({ y: result });
  });

  it('first-confident: the first that is confident enough, else the most confident', () => {
    const rule = { method: 'first-confident', confidence: 'sure', atLeast: 0.5 } as const;
    const sure = (x: string, confidence: number) => ({ x: bytes(x), sure: fp32([1], [confidence]) });
    const answer = (x: string, confidence: number) => ({ y: bytes(x), sure: fp32([1], [confidence]) });
    expect(combine(rule, sure('p', 0.25), sure('q', 0.5), sure('r', 0.75))).toEqual(answer('q', 0.5));
    expect(combine(rule, sure('p', 0.125), sure('q', 0.25), sure('r', 0.25))).toEqual(answer('q', 0.25));
    expect(() => combine(rule, { x: bytes('p'), sure: bytes('much') }, sure('q', 1))).toThrow(
      /Stage m: the confidence must be one number, a gave BYTES \[1\]/,
    );
  });

  it.each<[string, Tensor, number, string]>([
    ['NaN is less than any confidence', fp32([1], [Number.NaN]), 0.9, 'q'],
    ['the limit is rounded to FP32 for FP32', fp32([1], [0.7]), 0.7, 'p'],
    ['but not for FP64', { datatype: 'FP64', shape: [1], data: Float64Array.of(Math.fround(0.7)) }, 0.7, 'q'],
  ])('first-confident: %s', (_, sure, atLeast, chosen) => {
    const rule = { method: 'first-confident', confidence: 'sure', atLeast } as const;
    const second = { x: bytes('q'), sure: fp32([1], [0.75]) };
    expect(combine(rule, { x: bytes('p'), sure }, second)).toMatchObject({ y: bytes(chosen) });
  });

  it.each<[string, Partial<Rule>, readonly (TensorMap | Tensor)[], RegExp]>([
    ['a member without the tensor', {}, [scalar(1), { z: scalar(1) }], /tensor x, but b gave z/],
    [
      'members of different shapes',
      {},
      [fp32([2], [1, 2]), fp32([1], [1])],
      /equal types; a gave FP32 \[2\], b FP32 \[1\]/,
    ],
    ['members of different types', {}, [scalar(1), bytes('p')], /equal types/],
    [
      'a mean of texts',
      { method: 'mean' },
      [bytes('p'), bytes('q')],
      /takes the mean of x, so it needs numbers; it got BYTES/,
    ],
    [
      'a concatenation of different widths',
      { method: 'concatenation' },
      [fp32([1, 2], [1, 2]), fp32([1, 1], [1])],
      /cannot concatenate.*the first is FP32 \[1, 2\], number 2 is FP32 \[1, 1\]/,
    ],
  ])('refuses %s', (_, rule, parts, message) => {
    expect(() => combine(rule, ...parts)).toThrow(message);
  });

  it('takes the items of a fan-out', () => {
    const of = { id: stageId('m'), method: 'mean', tensor: 'x', output: 'x' } as const;
    const edges = [edge('a', 'b', { fanOut: { expected: 2 } }), edge('b', 'm', { join: 'all' })];
    const graph = servingGraph(servingSpec(['a', 'b'], { combines: [of], edges, outputs: [{ from: stageId('m') }] }));
    const { join } = tensorAlgebra(graph);
    const last = graph.edges[1] as ServingEdge;
    expect(join(last, [{ x: scalar(1) }, { x: scalar(3) }], { source: {} })).toEqual({ x: scalar(2) });
  });
});

describe('inputs of edges', () => {
  const inputs: EdgeSpec['inputs'] = [
    { name: 'image', output: 'crop' },
    { name: 'again', output: 'crop' },
    { name: 'whole', source: 'photo' },
    { name: 'limit', constant: { datatype: 'INT64', shape: [2], data: [3, -1] } },
  ];
  const limit: Tensor = { datatype: 'INT64', shape: [2], data: BigInt64Array.of(3n, -1n) };
  const photo = fp32([3], [7, 8, 9]);
  const request = { source: { photo } };
  const crop = fp32([2, 1], [1, 2]);
  /** Algebra and edge of a pipeline of two stages. */
  const compiled = (more: Partial<EdgeSpec>) => {
    const graph = servingGraph(servingSpec(['detect', 'classify'], { edges: [edge('detect', 'classify', more)] }));
    return { algebra: tensorAlgebra(graph), between: graph.edges[0] as ServingEdge, graph };
  };

  it('rename outputs, and add tensors of the request and constants', () => {
    const { algebra, between } = compiled({ inputs });
    const passed = { image: crop, again: crop, whole: photo, limit };
    expect(algebra.select(between, { crop, score: fp32([], [1]) }, request)).toEqual(passed);
    expect(algebra.merge(1, [{ image: crop }], request)).toEqual({ image: crop });
  });

  it('are cut by a fan-out if they are outputs; the other outputs need no items', () => {
    const { algebra, between } = compiled({ inputs, fanOut: { expected: 2 } });
    const output = { size: fp32([5], [1, 2, 3, 4, 5]), crop };
    expect(algebra.items(between, output)).toBe(2);
    const item = (value: number) => ({ image: fp32([1], [value]), again: fp32([1], [value]), whole: photo, limit });
    expect(algebra.fanOut(between, output, request)).toEqual([item(1), item(2)]);
    expect(algebra.fanOut(between, { crop: fp32([0, 1], []) }, request)).toEqual([]);
    expect(algebra.items(between, {})).toBe(0);
  });

  it('are stacked by a join if they are outputs; without items the others remain', () => {
    const spec = servingSpec(['detect', 'classify', 'count'], {
      edges: [
        edge('detect', 'classify', { fanOut: { expected: 2 } }),
        edge('classify', 'count', { join: 'all', inputs }),
      ],
    });
    const graph = servingGraph(spec);
    const algebra = tensorAlgebra(graph);
    const join = graph.edges[1] as ServingEdge;
    const item = (value: number) => ({ crop: fp32([], [value]), score: fp32([value], [1, 2].slice(0, value)) });
    const stacked = fp32([2], [1, 2]);
    expect(algebra.join(join, [item(1), item(2)], request)).toEqual({
      image: stacked,
      again: stacked,
      whole: photo,
      limit,
    });
    expect(algebra.join(join, [], request)).toEqual({ whole: photo, limit });
  });

  it('keep their names where several edges meet', () => {
    const renamed = { inputs: [{ name: 'a', output: 'b' }] };
    const graph = servingGraph(
      servingSpec(['x', 'y', 'z'], { edges: [edge('x', 'y'), edge('x', 'z', renamed), edge('y', 'z')] }),
    );
    const [a, other] = [fp32([], [1]), fp32([], [2])];
    expect(tensorAlgebra(graph).merge(2, [{ a }, { a: other, c: a }], request)).toEqual({ a, 'y.a': other, c: a });
  });

  it('leave the prefix `request.` to a request that enters the same stage', () => {
    const sources = [{ name: 'in', to: ['x', 'y'].map(stageId), tensors: [] }];
    const graph = servingGraph(servingSpec(['x', 'y'], { sources, edges: [edge('x', 'y')] }));
    const [a, other] = [fp32([], [1]), fp32([], [2])];
    expect(tensorAlgebra(graph).merge(1, [{ a }, { a: other }], request)).toEqual({ 'request.a': a, 'x.a': other });
  });

  it('name the tensor that an output or the request lacks', () => {
    const { algebra, between } = compiled({ inputs });
    expect(() => algebra.select(between, { box: crop }, request)).toThrow(
      'Stage detect: its edge to classify passes on crop; it gave box.',
    );
    expect(() => algebra.select(between, { crop }, { source: {} })).toThrow(
      'Stage detect: its edge to classify passes on photo of the request, but the request lacks it.',
    );
  });

  it('keep only the tensors of the request that an edge passes on', () => {
    expect(sourceTensors(compiled({ inputs }).graph)({ photo, text: crop })).toEqual({ photo });
    expect(sourceTensors(compiled({}).graph)({ photo })).toEqual({});
  });
});

describe('payload algebra', () => {
  it('cuts every tensor along its leading dimension into views', () => {
    const items = fanOutTensors({ crop: fp32([2, 2], [1, 2, 3, 4]), score: fp32([2], [9, 8]) }, 'detect');
    expect(items).toEqual([
      { crop: fp32([2], [1, 2]), score: fp32([], [9]) },
      { crop: fp32([2], [3, 4]), score: fp32([], [8]) },
    ]);
    expect((items[1]?.['crop']?.data as Float32Array | undefined)?.buffer.byteLength).toBe(16);
  });

  it('joins what it cut, whatever k ≥ 1 is', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer(), fc.integer()), { minLength: 1, maxLength: 9 }), (pairs) => {
        const output: TensorMap = {
          pair: { datatype: 'INT32', shape: [pairs.length, 2], data: Int32Array.from(pairs.flat()) },
          name: { datatype: 'BYTES', shape: [pairs.length], data: pairs.map(String) },
        };
        expect(joinTensors(fanOutTensors(output, 'a'), 'b')).toEqual(output);
      }),
      { seed: 7, numRuns: 50 },
    );
  });

  it('has no items for k = 0, and an empty group joins to no tensors', () => {
    expect(fanOutTensors({ crop: fp32([0, 4], []) }, 'detect')).toEqual([]);
    expect(joinTensors([], 'classify')).toEqual({});
  });

  it('names tensors of unequal leading dimension', () => {
    expect(() => fanOutTensors({ crop: fp32([2, 1], [1, 2]), score: fp32([3], [1, 2, 3]) }, 'detect')).toThrow(
      /Stage detect: .*crop \[2, 1\] and score \[3\]/,
    );
    expect(() => fanOutTensors({ score: fp32([], [1]) }, 'detect')).toThrow(/score \[\]/);
  });

  it('names an item that lacks a tensor', () => {
    expect(() => joinTensors([{ a: fp32([], [1]) }, { b: fp32([], [1]) }], 'classify')).toThrow(
      /classify.*item 2 has no a/,
    );
  });

  it('names a tensor that the first item lacks', () => {
    const a = fp32([], [1]);
    expect(() => joinTensors([{ a }, { a }, { a, warning: a }], 'classify')).toThrow(
      /classify.*item 3 has warning, but the first has not/,
    );
    expect(() => joinTensors([{}, { a }], 'classify')).toThrow(/item 2 has a, but the first has not/);
  });

  it('names a joined tensor whose shape differs', () => {
    const differ = () => joinTensors([{ a: fp32([1], [1]) }, { a: fp32([2], [1, 2]) }], 'classify');
    expect(differ).toThrow(expect.objectContaining({ code: 'STAGE_FAILED' }));
    expect(differ).toThrow(/Stage classify: .*item 2 has a as FP32 \[2\], but the first as FP32 \[1\]/);
  });

  it('merges by name, with the producer in front of a name that comes twice', () => {
    const a = fp32([], [1]);
    const part = (producer: string, tensors: TensorMap) => ({ producer, tensors });
    expect(mergeTensors([part('x', { a }), part('y', { b: a })])).toEqual({ a, b: a });
    expect(mergeTensors([part('x', { a, c: a }), part('y', { a })])).toEqual({ 'x.a': a, c: a, 'y.a': a });
    expect(() => mergeTensors([part('x', { a }), part('y', { a }), part('z', { 'x.a': a })])).toThrow(
      /Stage z: .*x\.a/,
    );
  });

  it('picks the named tensors of an output and says which are there when one is not', () => {
    const produced = { producer: 'count', tensors: { a: fp32([], [1]), b: fp32([], [2]) } };
    expect(pickTensors(produced, ['b'])).toEqual({ b: fp32([], [2]) });
    expect(pickTensors(produced, undefined)).toBe(produced.tensors);
    expect(() => pickTensors(produced, ['toString'])).toThrow(/Stage count: .*toString; it gave a, b/);
  });

  it('requires declared types of a response, where -1 is any size', () => {
    const respond = (tensors: TensorMap, shape: readonly number[]) =>
      responseTensors(
        [
          { from: stageId('count'), types: [{ name: 'b', datatype: 'FP32', shape }] },
          { from: stageId('skipped'), types: [{ name: 'c', datatype: 'FP32', shape }] },
        ],
        [tensors, undefined],
      );
    const tensors = { a: fp32([], [1]), b: fp32([2, 1], [2, 3]) };
    expect(respond(tensors, [-1, 1])).toEqual(tensors);
    const declared = 'Stage count: the outputs of the pipeline declare its tensor b as FP32';
    for (const shape of [[2], [2, 2], [2, 1, 1]])
      expect(() => respond(tensors, shape)).toThrow(`${declared} [${shape.join(', ')}]; it is FP32 [2, 1].`);
    expect(() => respond({ a: tensors.a }, [])).toThrow(`${declared} []; it is not there.`);
    const text: Tensor = { datatype: 'BYTES', shape: [], data: ['x'] };
    expect(() => respond({ b: text }, [])).toThrow(`${declared} []; it is BYTES [].`);
  });

  it('adds nothing for a fan-out without items, whatever the output declares', () => {
    const types = [{ name: 'b', datatype: 'FP32', shape: [-1] }] as const;
    const respond = (tensors: TensorMap) =>
      responseTensors(
        [{ from: stageId('count') }, { from: stageId('classify'), tensors: ['b'], types }],
        [{ a: fp32([], [1]) }, tensors],
      );
    const empty = joinTensors([], 'classify');
    for (const tensors of [empty, joinTensors([empty, empty], 'detect')])
      expect(respond(tensors)).toEqual({ a: fp32([], [1]) });
    expect(() => respond({})).toThrow(/Stage classify: .*it gave none/);
  });

  it('names declared tensors as in responses', () => {
    const output = (from: string, names: readonly string[], unless?: string) => ({
      from: stageId(from),
      types: names.map((name) => ({ name, datatype: 'FP32', shape: [1] }) as const),
      ...(unless !== undefined && { unless: stageId(unless) }),
    });
    const names = (outputs: Parameters<typeof declaredTensors>[0]) => declaredTensors(outputs).map(({ name }) => name);
    const both = [output('a', ['y', 'x']), output('b', ['y'])];
    expect(names(both)).toEqual(['a.y', 'x', 'b.y']);
    const a = fp32([1], [1]);
    expect(Object.keys(responseTensors(both, [{ y: a, x: a }, { y: a }]))).toEqual(names(both));
    expect(names([output('a', ['y'], 'b'), output('b', ['y'], 'c'), output('c', ['y'])])).toEqual(['y', 'y', 'y']);
  });

  it('copies the viewed part alone', () => {
    const view: Tensor = { datatype: 'UINT8', shape: [2], data: new Uint8Array(100).subarray(5, 7) };
    const raw: Tensor = { datatype: 'BYTES', shape: [1], data: [new Uint8Array([3])] };
    const copy = copyTensors({ view, raw });
    expect(copy).toEqual({ view, raw });
    expect((copy['view']?.data as Uint8Array | undefined)?.buffer.byteLength).toBe(2);
    expect(copy['raw']?.data[0]).not.toBe(raw.data[0]);
  });

  it('copies Buffers, whose own `slice` shares memory', () => {
    const file: Tensor = { datatype: 'UINT8', shape: [2], data: Buffer.of(1, 2) };
    const raw: Tensor = { datatype: 'BYTES', shape: [1], data: [Buffer.of(3)] };
    const copy = copyTensors({ file, raw });
    for (const bytes of [copy['file']?.data, copy['raw']?.data[0]]) if (bytes instanceof Uint8Array) bytes.fill(9);
    expect(copy['file']?.data).toEqual(Uint8Array.of(9, 9));
    expect([file.data, raw.data[0]]).toEqual([Buffer.of(1, 2), Buffer.of(3)]);
  });
});
