import type { TaskModule } from './contract.js';
import { template } from './template.js';
import { secret } from './secret.js';
import { file } from './file.js';
import { directory } from './directory.js';
import { kafkaTopic } from './kafka-topic.js';
import { postgresqlDatabase } from './postgresql-database.js';
import { postgresqlRole } from './postgresql-role.js';
import { s3Bucket } from './s3-bucket.js';
import { sqlView } from './sql-view.js';

/** Every kind of task, one line each; each has a case of the contract test (test/integration/contract). */
const all: TaskModule[] = [template, secret, file, directory, kafkaTopic, postgresqlDatabase, postgresqlRole, s3Bucket, sqlView];

/** The registry, by the name that playbooks use. The modules load heavy libraries only when they are used. */
export const modules: Map<string, TaskModule> = new Map(all.map((module) => [module.name, module]));
