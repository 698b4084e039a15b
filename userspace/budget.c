// SPDX-License-Identifier: GPL-2.0-only
#include "budget.h"

static double full(const struct ncg_budget *budget)
{
	return budget->share * NCG_BUDGET_SAVES_NS;
}

void ncg_budget_init(struct ncg_budget *budget, double share, uint64_t now)
{
	*budget = (struct ncg_budget){ .share = share, .at = now };
	budget->left = full(budget);
}

int64_t ncg_budget_left(struct ncg_budget *budget, uint64_t now)
{
	if (now > budget->at) {
		budget->left += budget->share * (now - budget->at);
		budget->at = now;
	}
	if (budget->left > full(budget))
		budget->left = full(budget);
	return (int64_t)budget->left;
}

void ncg_budget_spend(struct ncg_budget *budget, uint64_t ns)
{
	budget->left -= ns;
}

uint64_t ncg_budget_wait(struct ncg_budget *budget, uint64_t now, uint64_t ns)
{
	double wanted = ns < full(budget) ? ns : full(budget);
	double missing = wanted - ncg_budget_left(budget, now);

	return missing > 0 ? missing / budget->share + 1 : 0;
}
