#include "train/schedule.h"

#include <math.h>

double ivl_learning_rate(double peak, double floor, int64_t warmup, int64_t steps, int64_t step)
{
    if (step < warmup) return peak * (double)(step + 1) / (double)warmup;
    if (steps <= warmup) return peak;
    double at = (double)(step - warmup) / (double)(steps - warmup);
    if (at > 1) at = 1;
    return peak * (floor + (1 - floor) * 0.5 * (1 + cos(3.14159265358979323846 * at)));
}

double ivl_drop_path_rate(double rate, bool uniform, int i, int n)
{
    return uniform || n < 2 ? rate : rate * i / (n - 1);
}
