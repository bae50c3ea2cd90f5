/** The port over HTTP, and its users, against a real API server. */
import { describeWithTool } from '@equipoise/testkit';
import { afterAll, beforeAll } from 'vitest';
import { describeKubeApiConformance } from '../api/conformance/kube-api-conformance.test-support.js';
import { probeDefinition } from '../api/conformance/probe-resource.test-support.js';
import type { KubeApi } from '../api/kube-api.js';
import { customResources, definitionServed, newNamespace } from './cluster-objects.test-support.js';
import { ControlPlane } from './control-plane.test-support.js';
import { controlPlane, kubeBinariesFolder } from './kube-binaries.test-support.js';

describeWithTool(controlPlane, 'a real API server', () => {
  let plane: ControlPlane;
  let api: KubeApi;

  beforeAll(async () => {
    plane = await ControlPlane.start(kubeBinariesFolder());
    api = await plane.api();
    await api.apply(customResources, probeDefinition, { fieldManager: 'test' });
    await definitionServed(api, probeDefinition.metadata.name);
  }, 300_000);

  afterAll(() => plane?.stop(), 60_000);

  describeKubeApiConformance('HttpKubeApi', async () => ({
    api,
    namespace: await newNamespace(api),
    passTime: (durationMs) => new Promise((resolve) => setTimeout(resolve, durationMs)),
  }));
});
