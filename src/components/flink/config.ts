import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import { logFile } from '../../runtimes/process/logs.js';
import type { StackContext } from '../../workspace/context.js';
import { dataDir, portOf, renderFile, tmpDir } from '../component.js';

export const TASKMANAGER = 'flink-taskmanager';
export const FLINK_PROCESSES = ['flink-jobmanager', TASKMANAGER] as const;
export const GATEWAY = 'flink-sql-gateway';

/** Flink's own FLINK_CONF_DIR, in .forge/generated. */
export const confDir = (context: StackContext): string => join(context.workspace.generated, 'flink', 'conf');
export const logConfig = (process: string): string => `log4j2-${process}.properties`;

/** The configuration files of all its processes, by name. */
export async function configFiles(context: StackContext): Promise<Record<string, string>> {
  const url = (folder: string): string => pathToFileURL(join(dataDir(context, 'flink'), folder)).href;
  const port = (name: string): number => portOf(context, name);
  const files: Record<string, string> = {
    'config.yaml': await renderFile(context, 'flink/config.yaml', {
      rpcPort: port('flink-rpc'),
      blobPort: port('flink-blob'),
      restPort: port('flink'),
      taskmanagerRpcPort: port('flink-taskmanager-rpc'),
      taskmanagerDataPort: port('flink-taskmanager-data'),
      gatewayPort: port('flink-sql-gateway'),
      checkpointInterval: context.config.components.flink.checkpointInterval,
      checkpoints: JSON.stringify(url('checkpoints')),
      savepoints: JSON.stringify(url('savepoints')),
      tmp: JSON.stringify(tmpDir(context, 'flink')),
    }),
  };
  for (const process of [...FLINK_PROCESSES, GATEWAY])
    files[logConfig(process)] = await renderFile(context, 'flink/log4j2.properties', { logFile: logFile(context.workspace, process) });
  return files;
}
