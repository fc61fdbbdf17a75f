"""Which models may be used: policy, evidence, review and approval by electronic signatures; `facts` tells all of it."""
