import { describePlanStoreConformance } from '../conformance/plan-store-conformance.js';
import { MemoryPlanStore } from './memory-plan-store.js';

describePlanStoreConformance('MemoryPlanStore', () => new MemoryPlanStore());
