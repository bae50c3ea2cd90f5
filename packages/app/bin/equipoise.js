/** What `bin/equipoise` runs in Node. */
import '../dist/main.js';
