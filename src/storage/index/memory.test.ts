import { indexContract } from "./contract.ts";
import { digestContract } from "./digest/contract.ts";
import { memoryIndex } from "./memory.ts";

indexContract("memory index", () => Promise.resolve(memoryIndex()));
digestContract("memory index", () => Promise.resolve(memoryIndex()), 60);
