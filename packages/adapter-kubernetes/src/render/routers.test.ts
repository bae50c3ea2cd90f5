import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../api/kube-object.js';
import type { Labels } from '../cluster/object-names.js';
import { isRouter, isStage, routerOf } from '../cluster/observed-objects.js';
import { fileOf } from './config-files.js';
import type { ConfigMap, NetworkPolicy, PodDisruptionBudget, Service } from './manifest-types.js';
import { renderPlan } from './render-plan.js';
import { EVERY_KIND, planFor, requestFor, specOf } from './render-request.test-support.js';
import { brokenRules, podsOf } from './rendered-rules.test-support.js';

const targets = ['deployment', 'seldon-v2', 'seldon-v1', 'kserve'] as const;
const every = specOf(EVERY_KIND);
const plan = planFor(every, {});
const ROUTERS = 3;

const idOf = ({ kind, metadata }: KubeObject) => `${kind} ${metadata.name}`;
const isSelected = (selector: Labels, labels: Labels) =>
  Object.entries(selector).every(([label, value]) => labels[label] === value);

function podsIn(objects: readonly KubeObject[]) {
  return objects.flatMap((object) => {
    const pods = podsOf(object);
    return pods === undefined ? [] : [{ name: object.metadata.name, router: routerOf(object), ...pods }];
  });
}

describe.each(targets)('three routers for %s', (target) => {
  const request = requestFor(target, { spec: every, plan, routers: ROUTERS });
  const objects = renderPlan(request);
  const pods = podsIn(objects);
  const kindOf = <T extends KubeObject>(kind: string) =>
    objects.filter((object) => object.kind === kind) as unknown as readonly T[];

  it('keep the rules, and have names of their own', () => {
    // Only the Service and the disruption budget of the pipeline are for several workloads.
    expect(brokenRules(objects, request)).toEqual([
      'Service shelf: selects the pods of 3 workloads',
      'PodDisruptionBudget shelf: selects the pods of 3 workloads',
    ]);
    expect(new Set(objects.map(idOf)).size).toBe(objects.length);
  });

  it('leave the names and labels of the first as they are for one router', () => {
    const alone = renderPlan(requestFor(target, { spec: every, plan }));
    const first = objects.filter((object) => routerOf(object) === 0);
    const named = (all: readonly KubeObject[]) => all.map((each) => [idOf(each), each.metadata.labels]);
    expect(named(first)).toEqual(named(alone));
    expect(first.filter(isStage)).toEqual(alone.filter(isStage));
  });

  it('select no pods of each other', () => {
    for (const { name, selector } of pods)
      if (selector !== undefined)
        expect(pods.filter(({ labels }) => isSelected(selector, labels)).map((each) => each.name)).toEqual([name]);
    for (const service of kindOf<Service>('Service')) {
      const reached = pods.filter(({ labels }) => isSelected(service.spec.selector, labels));
      const routers = new Set(reached.map(({ router }) => router));
      expect(routers.size).toBe(service.metadata.name === every.name ? ROUTERS : 1);
    }
  });

  it('send to their own stages only, by file and by network policy', () => {
    const files = kindOf<ConfigMap>('ConfigMap').filter(isRouter);
    expect(files).toHaveLength(ROUTERS);
    const services = kindOf<Service>('Service').filter(isStage);
    for (const file of files) {
      const others = services.filter((service) => routerOf(service) !== routerOf(file));
      const text = fileOf(file) ?? '';
      expect(others.filter(({ metadata }) => text.includes(`//${metadata.name}:`))).toEqual([]);
      expect(text).not.toContain('routers:');
    }
    for (const policy of kindOf<NetworkPolicy>('NetworkPolicy').filter(isStage)) {
      const [{ from = [] } = {}] = policy.spec.ingress as readonly {
        from?: readonly { podSelector: { matchLabels: Labels } }[];
      }[];
      const senders = pods.filter(({ labels }) =>
        from.some((peer) => isSelected(peer.podSelector.matchLabels, labels)),
      );
      expect(senders.map(({ router }) => router)).toEqual([routerOf(policy)]);
    }
  });

  it('have one disruption budget and are spread over machines together', () => {
    const budgets = kindOf<PodDisruptionBudget>('PodDisruptionBudget');
    for (const { labels, owner } of pods.filter((each) => each.owner.kind === 'Deployment')) {
      const matching = budgets.filter(({ spec }) => isSelected(spec.selector.matchLabels, labels));
      expect([idOf(owner), matching.length]).toEqual([idOf(owner), 1]);
    }
    const routers = pods.filter(({ owner }) => isRouter(owner));
    for (const { spec } of routers) {
      const [constraint] = spec.topologySpreadConstraints as readonly { labelSelector: { matchLabels: Labels } }[];
      const spread = pods.filter(({ labels }) => isSelected(constraint?.labelSelector.matchLabels ?? {}, labels));
      expect(spread).toHaveLength(ROUTERS);
    }
  });
});

it('are refused where the engine walks the graph', () => {
  expect(() => renderPlan(requestFor('kserve:theirs', { spec: every, plan, routers: 2 }))).toThrow('set routers');
});
