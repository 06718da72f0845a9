// The contract of boards, on V8.
import { describeBoard } from './contract.js';

describeBoard('native-sim');
