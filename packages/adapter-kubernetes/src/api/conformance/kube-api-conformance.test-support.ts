/** What every KubeApi does alike, over a real API server and over the one in memory. */
import { describe } from 'vitest';
import { describeApply } from './apply-conformance.test-support.js';
import { describeObjects } from './objects-conformance.test-support.js';
import type { MakeSubject } from './subject.test-support.js';
import { describeWatches } from './watch-conformance.test-support.js';

/** Defines the suite; the server knows `probes` and the resources of Kubernetes itself. */
export function describeKubeApiConformance(name: string, make: MakeSubject): void {
  describe(`${name} as a KubeApi`, () => {
    describeObjects(make);
    describeApply(make);
    describeWatches(make);
  });
}
