import { describeCorpus } from './corpus.test-support.js';

describeCorpus('secure');
